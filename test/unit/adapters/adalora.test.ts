import { expect, test } from "bun:test"
import { adalora, budgetAfter } from "../../../adapters/adalora.ts"
import { f32 } from "../../../src/core/tensor.ts"
import type { Base } from "../../../src/models/base.ts"
import type { LinearSite } from "../../../src/models/site.ts"
import { methodEnv } from "../../../src/presets/method-env.ts"
// PEFT 0.21's RankAllocator over two layers of random factors, 12 updates of 0.05 times random gradients: torch seed 1,
// tinit 2, tfinal 4, deltaT 1; E after each.
import oracle from "../../fixtures/adalora-allocator.json"

const sites = oracle.dims.map(
  ([outFeatures, inFeatures], i): LinearSite => ({
    kind: "linear",
    path: `l${i}`,
    role: "q",
    layer: i,
    inFeatures: inFeatures!,
    outFeatures: outFeatures!,
    transposed: false,
    bias: false,
  }),
)
const env = methodEnv(
  { architecture: { sites: () => sites, tokenEmbedding: "" }, config: {} } as unknown as Base,
  null,
  0,
)

test("ranks are shared out as PEFT's allocator does, and stay in the end", () => {
  const { rank, target, steps, tinit, tfinal, beta1, beta2 } = oracle
  const method = adalora.prepare({
    rank: target,
    initRank: rank,
    warmup: tinit / steps,
    settled: tfinal / steps,
    beta1,
    beta2,
  })
  const all = method.parameters(env)
  const values = new Map(
    all.flatMap(({ params }) =>
      params.map(({ key, shape, init }) => {
        const size = shape.reduce((product, n) => product * n, 1)
        const ours = key.match(/^base_model\.model\.(l\d)\.(lora_[ABE])$/)
        const start = ours && (oracle.start as Record<string, number[]>)[`${ours[1]}.${ours[2]}.default`]!
        return [
          key,
          start ? Float32Array.from(start) : new Float32Array(size).fill(init.kind === "ones" ? 1 : 0),
        ] as const
      }),
    ),
  )
  for (const [i, given] of oracle.grads.entries()) {
    const gradients = new Map<string, Float32Array>()
    for (const [name, gradient] of Object.entries(given)) {
      const key = `base_model.model.${name.replace(".default", "")}`
      gradients.set(key, Float32Array.from(gradient))
      values.get(key)!.forEach((_, j, value) => {
        value[j]! -= 0.05 * gradient[j]!
      })
    }
    method.afterUpdate!({ step: i + 1, steps, values, gradients }, all)
    for (const layer of [0, 1]) {
      const found = values.get(`base_model.model.l${layer}.lora_E`)!
      for (const [k, wanted] of oracle.E[i]![layer]!.entries()) expect(found[k]!).toBeCloseTo(wanted, 5)
    }
  }
})

test("the budget begins whole, falls by a cubic law and ends at the target", () => {
  const c = { rank: 2, initRank: 6, warmup: 0.1, settled: 0.4 }
  const budgets = [0, 10, 35, 60, 100].map((step) => budgetAfter(step, 100, 10, c))
  expect(budgets).toEqual([60, 60, 25, 20, 20])
})

test("an adapter whose ranks PEFT has shared out holds those that are left, scaled by the rank it began with", async () => {
  const pattern = { "l0.lora_E.default": [true, false, true], "l1.lora_E": [false, false, false] }
  const json = { init_r: 3, target_r: 1, lora_alpha: 6, target_modules: ["l0", "l1"], rank_pattern: pattern }
  const method = adalora.prepare(adalora.peft!.read(json))
  const all = method.parameters(env)
  const [outFeatures, inFeatures] = oracle.dims[0] as [number, number]
  expect(all.flatMap(({ params }) => params.map(({ key, shape }) => [key, shape]))).toEqual([
    ["base_model.model.l0.lora_A", [2, inFeatures]],
    ["base_model.model.l0.lora_B", [outFeatures, 2]],
    ["base_model.model.l0.lora_E", [2, 1]],
  ])
  const tensors = new Map(
    all.flatMap(({ params }) =>
      params.map(({ key, shape }) => [key, f32(shape, new Float32Array(shape[0]! * shape[1]!).fill(1))] as const),
    ),
  )
  const [form] = await method.finish(method.stored(env), tensors, async () => new Float32Array(0))
  expect(form).toMatchObject({ form: "lowrank", path: "l0", scale: 6 / (3 + 1e-5) })
  expect(method.writePeft(env)).toMatchObject({
    init_r: 3,
    rank_pattern: { "l0.lora_E": [true, false, true], "l1.lora_E": [false, false, false] },
  })
})
