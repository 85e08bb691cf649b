/**
 * @module Every method of the shelf on bases with and without biases: its gradient against differences of its own loss,
 * and what it leaves behind, served, against the loss it was trained by.
 */
import { afterAll, describe, expect, test } from "bun:test"
import { mkdtemp, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { methods } from "../../adapters/mod.ts"
import { adapterForms } from "../../src/adapter-io.ts"
import { rng } from "../../src/core/rng.ts"
import type { Tensor } from "../../src/core/tensor.ts"
import { type Batch, IGNORE } from "../../src/data/batch.ts"
import type { Method, MethodEnv, PreparedMethod } from "../../src/method.ts"
import type { Base } from "../../src/models/base.ts"
import { methodEnv } from "../../src/presets/method-env.ts"
import { openBase } from "../../src/presets/open-base.ts"
import { openRuntime } from "../../src/presets/open-runtime.ts"
import { graphDecoder } from "../../src/serve/graph-decoder.ts"
import { saveTrained } from "../../src/service/save-adapter.ts"
import { type GraphStep, graphStep } from "../../src/train/graph-step.ts"
import type { Parameter } from "../../src/train/step.ts"

/** Small settings of each method, several where they are computed differently. */
const settings: Readonly<Record<string, readonly Record<string, unknown>[]>> = {
  lora: [
    { rank: 2, loraBias: true, bias: "lora_only", exclude: ["k_proj", "mlp.c_proj"] },
    { rank: 2, loraBias: true, bias: "all", layers: [0] },
    { rank: 2, targets: ["v_proj", "c_proj", "embed_tokens", "wte", "lm_head"] },
    { rank: 2, save: ["embed_tokens", "wte", "norm", "ln_f"] },
    { rank: 2, save: ["lm_head"], targets: ["q_proj", "c_attn"], bias: "lora_only" },
    { rank: 2, tokens: Array.from({ length: 90 }, (_, i) => i + 3) },
    { rank: 2, tokens: { embed_tokens: [1, 2, 7], wte: [1, 2, 7], lm_head: [5] }, rsLora: true },
    { rank: 3 },
    { rank: 4, init: "orthogonal", rsLora: true },
    { rank: 2, alpha: 2, init: "gaussian", plusRatio: 16 },
    { rank: 3, alpha: 4, init: "pissa", alphaPattern: { q_proj: 2 }, rankPattern: { q_proj: 2 } },
    { rank: 2, init: "pissa", rsLora: true, loraBias: true, bias: "all" },
  ],
  dora: [
    { rank: 3 },
    { rank: 2, save: ["lm_head", "norm", "ln_f"], tokens: Array.from({ length: 90 }, (_, i) => i + 3) },
  ],
  adalora: [{ rank: 2, initRank: 3, orthogonality: 0 }],
  vera: [{ rank: 6 }],
  prompt_tuning: [{ virtualTokens: 3 }],
  p_tuning: [
    { virtualTokens: 3, encoderHidden: 8 },
    { virtualTokens: 3, encoderHidden: 6, encoder: "lstm" },
  ],
  prefix_tuning: [{ virtualTokens: 3 }, { virtualTokens: 2, projection: 8 }, { virtualTokens: 2, init: "zeros" }],
  ia3: [{}, { targets: ["q_proj", "c_attn"], feedForward: [] }],
  bottleneck: [
    { kind: "pfeiffer", nonlinearity: "silu" },
    { kind: "houlsby" },
    { kind: "parallel", nonlinearity: "gelu" },
  ],
  bitfit: [{}],
  ln_tuning: [{}],
  selective: [{ lastLayers: 2, norms: true }],
  full: [{}],
}

const baseFolder = (name: string): string => join(import.meta.dir, "..", "fixtures", "parity", name, "base")

const LENGTH = 10
const { runtime } = await openRuntime("native", { threads: 1 })
const bases = Object.fromEntries(
  await Promise.all(
    ["llama", "gpt2", "mistral", "gemma2"].map(async (name) => {
      const { base } = await openBase(baseFolder(name))
      return [name, base] as const
    }),
  ),
) as Record<string, Base>
afterAll(() => runtime.dispose())

function batchOf({ config }: Base): Batch {
  const draw = rng(5, "batch")
  const ids = Int32Array.from({ length: 2 * LENGTH }, () => draw.below(config.vocabSize))
  const labels = Int32Array.from(ids, (id, i) => (i % LENGTH < 2 ? IGNORE : id))
  return { rows: 2, length: LENGTH, ids, labels, tokens: ids.length, labelled: 2 * (LENGTH - 2) }
}

/** A step away from where the method begins, so that nothing is zero. */
async function movedStep(base: Base, method: PreparedMethod, env: MethodEnv): Promise<GraphStep> {
  const step = await graphStep({ runtime, base, method, env, maxLength: LENGTH, maxLabelled: 2 * LENGTH })
  const draw = rng(3, "move")
  for (let i = 0; i < step.values.length; i++) step.values[i]! += 0.05 * draw.normal()
  return step
}

/**
 * The length of DoRA's weight counts as a constant in the gradient. For a difference to see that, what a factor's move does to
 * the length is made good by the magnitude: m / |W + s B A| stays what it was. Null for what is no factor.
 * @returns sets the magnitudes by those of `first`
 */
async function heldLengths(
  base: Base,
  step: GraphStep,
  { name }: Parameter,
): Promise<((first: Float32Array) => void) | null> {
  const factor = /^base_model\.model\.(.*)\.lora_[AB]\.weight$/.exec(name)
  if (!factor) return null
  const path = factor[1]!
  const site = methodEnv(base, null, 1).sites.find((each) => "path" in each && each.path === path)
  if (site?.kind !== "linear") throw new TypeError(path)
  const { transposed, inFeatures, outFeatures } = site
  const weight = await base.read(`${path}.weight`)
  const [a, b, magnitude] = ["lora_A.weight", "lora_B.weight", "lora_magnitude_vector"].map(
    (part) => step.parameters.find((each) => each.name === `base_model.model.${path}.${part}`)!,
  ) as [Parameter, Parameter, Parameter]
  const rank = a.shape[0]!
  const scale = 16 / rank
  const lengths = (values: Float32Array): number[] =>
    Array.from({ length: outFeatures }, (_, o) => {
      let squares = 0
      for (let i = 0; i < inFeatures; i++) {
        let x = weight[transposed ? i * outFeatures + o : o * inFeatures + i]!
        for (let k = 0; k < rank; k++)
          x += scale * values[b.offset + o * rank + k]! * values[a.offset + k * inFeatures + i]!
        squares += x * x
      }
      return Math.sqrt(squares)
    })
  return (first) => {
    const [before, after] = [lengths(first), lengths(step.values)]
    for (let o = 0; o < outFeatures; o++)
      step.values[magnitude.offset + o] = (first[magnitude.offset + o]! * after[o]!) / before[o]!
  }
}

/** What was trained as a server has it: an adapter over the base, or a base of its own, read back from its folder. */
async function served(
  name: string,
  prepared: PreparedMethod,
  method: Method,
  tensors: ReadonlyMap<string, Tensor<"f32">>,
) {
  const base = bases[name]!
  const env = methodEnv(base, null, 1)
  if (method.peft === null) {
    const folder = await mkdtemp(join(tmpdir(), "espalier-served-"))
    await saveTrained(join(folder, "own"), { base, method: prepared, env, tensors }, {}, baseFolder(name))
    const { base: own } = await openBase(join(folder, "own"), { cacheFolder: null })
    const decoder = await graphDecoder({ runtime, base: own })
    const dispose = async (): Promise<void> => {
      await decoder.dispose()
      await rm(folder, { recursive: true, force: true })
    }
    return { decoder, bound: null, dispose }
  }
  const config = prepared.writePeft(env)!
  const again = method.prepare(method.peft.read(config))
  const forms = await adapterForms(
    { hash: "", sizeBytes: 0, config, tensors: prepared.store(env, tensors) },
    { method: again, stored: again.stored(env) },
    (weight) => base.read(weight),
  )
  const decoder = await graphDecoder({ runtime, base })
  return { decoder, bound: await decoder.bind(forms), dispose: () => decoder.dispose() }
}

test("there are settings for every method", () => {
  expect(Object.keys(settings)).toEqual(methods.map(({ name }) => name))
})

/** What has tables of its own, on bases that scale, cap or don't tie theirs. */
const withTables = settings["lora"]!.filter((given) => "save" in given || "tokens" in given || "targets" in given)

for (const [name, base] of Object.entries(bases)) {
  const everything = name === "llama" || name === "gpt2"
  for (const method of methods.filter((method) => everything || method.name === "lora")) {
    describe(`${method.name} on ${name}`, () => {
      for (const given of everything ? settings[method.name]! : withTables) {
        const prepared = method.prepare(given)
        const env = methodEnv(base, null, 1)

        test(`has the gradient that its loss has: ${JSON.stringify(given)}`, async () => {
          const step = await movedStep(base, prepared, env)
          const batch = batchOf(base)
          const gradients = new Float32Array(step.values.length)
          await step.forwardBackward(batch, 1 / batch.labelled, gradients, 0)
          const first = step.values.slice()
          const loss = async (): Promise<number> => (await step.evaluate(batch)).loss / batch.labelled
          for (const parameter of step.parameters) {
            if (parameter.state) continue
            const { offset, size } = parameter
            const hold = method.name === "dora" ? await heldLengths(base, step, parameter) : null
            const own = gradients.subarray(offset, offset + size)
            // Along the gradient itself, where the difference is largest against rounding.
            const norm = Math.hypot(...own)
            expect(norm).toBeGreaterThan(0)
            // Short, as virtual tokens begin near zero, where a norm makes the loss curve; long enough to be seen.
            const reach = Math.min(0.005, Math.max(0.001, 0.002 / norm))
            const at = async (along: number): Promise<number> => {
              for (let i = 0; i < size; i++) step.values[offset + i] = first[offset + i]! + (along * own[i]!) / norm
              hold?.(first)
              return loss()
            }
            const slope = async (h: number): Promise<number> => ((await at(h)) - (await at(-h))) / (2 * h)
            // Richardson: what two lengths leave of the curve cancels.
            const difference = (4 * (await slope(reach / 2)) - (await slope(reach))) / 3
            step.values.set(first)
            // A part in fifty, and what rounding of an f32 loss of about 6 amounts to over that reach.
            const allowed = 0.02 * norm + 4e-6 / reach
            const off = Math.abs(difference - norm)
            expect({ parameter: parameter.name, difference, norm, agree: off <= allowed }).toEqual({
              parameter: parameter.name,
              difference,
              norm,
              agree: true,
            })
          }
          await step.dispose()
        }, 60_000)

        test(`is served as it was trained: ${JSON.stringify(given)}`, async () => {
          const step = await movedStep(base, prepared, env)
          const batch = batchOf(base)
          const { loss } = await step.evaluate(batch)
          const trained = step.tensors()
          await step.dispose()
          const { decoder, bound, dispose } = await served(name, prepared, method, trained)
          let sum = 0
          for (let row = 0; row < batch.rows; row++) {
            const ids = [...batch.ids.subarray(row * LENGTH, (row + 1) * LENGTH)]
            const sequence = await decoder.open(bound, LENGTH + (bound?.virtualTokens ?? 0))
            const logits = await sequence.append(ids, true)
            sequence.close()
            for (let t = 0; t + 1 < LENGTH; t++) {
              if (batch.labels[row * LENGTH + t + 1] === IGNORE) continue
              const own = logits.subarray(t * base.config.vocabSize, (t + 1) * base.config.vocabSize)
              const most = own.reduce((a, b) => Math.max(a, b))
              sum += most + Math.log(own.reduce((all, x) => all + Math.exp(x - most), 0)) - own[ids[t + 1]!]!
            }
          }
          await dispose()
          expect(sum / batch.labelled).toBeCloseTo(loss / batch.labelled, 4)
        }, 60_000)
      }
    })
  }
}
