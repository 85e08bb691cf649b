/**
 * @module PiSSA's start against its definition, that of PEFT's `pissa_init`, and what is saved against `subtract_mutated_init`.
 */
import { describe, expect, test } from "bun:test"
import { lora } from "../../../adapters/lora.ts"
import { rng } from "../../../src/core/rng.ts"
import { f32, type Tensor } from "../../../src/core/tensor.ts"
import { addScaled, frobenius, type Matrix, matrix, multiply, transpose } from "../../../src/linalg/matrix.ts"
import { svd } from "../../../src/linalg/svd.ts"
import type { InitTools, MethodEnv } from "../../../src/method.ts"
import { gpt2 } from "../../../src/models/gpt2.ts"
import { llama } from "../../../src/models/llama.ts"

const shapes = { vocab_size: 32, hidden_size: 8, num_hidden_layers: 1, num_attention_heads: 2, intermediate_size: 12 }
const bases = {
  llama: { architecture: llama, config: llama.parseConfig({ ...shapes, num_key_value_heads: 1 }) },
  gpt2: {
    architecture: gpt2,
    config: gpt2.parseConfig({ vocab_size: 32, n_embd: 8, n_layer: 1, n_head: 2, n_inner: 12, n_positions: 16 }),
  },
}

const weightOf = (path: string, rows: number, columns: number): Matrix => {
  const draw = rng(4, path)
  return matrix(
    rows,
    columns,
    Float64Array.from({ length: rows * columns }, () => draw.normal()),
  )
}

for (const [name, { architecture, config }] of Object.entries(bases)) {
  const sites = architecture.sites(config)
  const env: MethodEnv = {
    config,
    sites,
    tokenEmbedding: "",
    encode: () => [],
    rng: (purpose) => rng(0, purpose),
  }
  /** Every parameter as it begins. */
  const begin = async (settings: unknown): Promise<Map<string, Tensor<"f32">>> => {
    const out = new Map<string, Tensor<"f32">>()
    const tools = (key: string): InitTools => ({
      random: rng(0, key),
      keysAndValues: () => Promise.reject(new Error("not asked for")),
      async read(weight) {
        const site = sites.find((each) => "path" in each && `${each.path}.weight` === weight)
        if (site?.kind !== "linear") throw new Error(weight)
        const { transposed, inFeatures, outFeatures, path } = site
        const [rows, columns] = transposed ? [inFeatures, outFeatures] : [outFeatures, inFeatures]
        return Float32Array.from(weightOf(path, rows, columns).data)
      },
    })
    for (const { params } of lora.prepare(settings).parameters(env))
      for (const { key, shape, init } of params)
        if (init.kind === "computed") out.set(key, f32(shape, await init.make(tools(key))))
    return out
  }
  const asMatrix = ({ shape, data }: Tensor<"f32">): Matrix => matrix(shape[0]!, shape[1]!, data)

  describe(`PiSSA on ${name}`, () => {
    test("begins with the principal directions, each side with the root of their values, and freezes the same", async () => {
      const values = await begin({ rank: 3, alpha: 6, init: "pissa" })
      for (const site of sites) {
        if (site.kind !== "linear" || site.role === "head") continue
        const { path, transposed, inFeatures, outFeatures } = site
        const weight = transposed
          ? transpose(weightOf(path, inFeatures, outFeatures))
          : weightOf(path, outFeatures, inFeatures)
        const key = `base_model.model.${path}`
        const [a, b] = ["lora_A", "lora_B"].map((part) => values.get(`${key}.${part}.weight`)!) as [
          Tensor<"f32">,
          Tensor<"f32">,
        ]
        const { s } = svd(weight)
        // |W - 2 B A| is what the other singular values are (Eckart and Young).
        const rest = { ...weight, data: weight.data.slice() }
        addScaled(rest, multiply(asMatrix(b), asMatrix(a)), -2)
        expect(frobenius(rest.data)).toBeCloseTo(frobenius(s.subarray(3)), 5)
        for (const side of [
          multiply(asMatrix(a), transpose(asMatrix(a))),
          multiply(transpose(asMatrix(b)), asMatrix(b)),
        ])
          for (let i = 0; i < 9; i++) expect(side.data[i]!).toBeCloseTo(i % 4 === 0 ? s[i / 4]! / 2 : 0, 4)
        expect(values.get(`${key}.lora_A0.weight`)).toEqual(a)
        expect(values.get(`${key}.lora_B0.weight`)).toEqual(b)
      }
    })

    test("is saved in twice the ranks and changes nothing where it begins", async () => {
      const prepared = lora.prepare({ rank: 2, init: "pissa", layers: [0] })
      const stored = prepared.store(env, await begin({ rank: 2, init: "pissa", layers: [0] }))
      const shapesOf = prepared
        .stored(env)
        .flatMap(({ params }) => params.map(({ key, shape }) => [key, shape] as const))
      expect([...stored].map(([key, { shape }]) => [key, shape])).toEqual(
        shapesOf.map(([key, shape]) => [key, [...shape]]),
      )
      for (const [key, a] of stored) {
        if (!key.endsWith("lora_A.weight")) continue
        const product = multiply(asMatrix(stored.get(key.replace("lora_A", "lora_B"))!), asMatrix(a))
        expect(frobenius(product.data)).toBeLessThan(1e-6)
      }
    })
  })

  test(`what PiSSA on ${name} writes is a plain LoRA with the scales that it was trained by`, async () => {
    const [first, second] = sites.filter((site) => site.kind === "linear").map(({ path }) => path.split(".").at(-1)!)
    for (const rsLora of [false, true]) {
      const settings = { rank: 3, alpha: 5, rsLora, rankPattern: { [first!]: 2 }, alphaPattern: { [second!]: 7 } }
      const prepared = lora.prepare({ ...settings, init: "pissa" })
      const json = prepared.writePeft(env)!
      expect(json).toMatchObject({ r: 6, init_lora_weights: true, rank_pattern: { [first!]: 4 } })
      const again = lora.prepare(lora.peft!.read(json))
      const tensors = prepared.store(env, await begin({ ...settings, init: "pissa" }))
      const read = async (): Promise<Float32Array> => new Float32Array()
      const scales = async (method: typeof again): Promise<number[]> =>
        (await method.finish(method.stored(env), tensors, read)).flatMap((form) =>
          form.form === "lowrank" ? [Number(form.scale.toFixed(9))] : [],
        )
      expect(await scales(again)).toEqual(await scales(prepared))
    }
  })
}

test("PiSSA refuses a rank that a weight does not have", () => {
  const { architecture, config } = bases.llama
  const env = { config, sites: architecture.sites(config), tokenEmbedding: "", encode: () => [], rng: () => rng(0, "") }
  expect(() => lora.prepare({ rank: 9, init: "pissa" }).parameters(env)).toThrow(
    "a rank of at most 8 at model.layers.0.self_attn.q_proj",
  )
})
