import { describe, expect, test } from "bun:test"
import { methods } from "../../../adapters/mod.ts"
import { llama } from "../../../src/models/llama.ts"
import { baseShape } from "../../../src/plan/base-shape.ts"
import { calibrations } from "../../../src/plan/calibration.ts"
import { partNames } from "../../../src/plan/parts.ts"
import { planServing } from "../../../src/plan/serving.ts"
import { planTraining, type TrainingPlan } from "../../../src/plan/training.ts"
import { methodEnv } from "../../../src/presets/method-env.ts"

const config = llama.parseConfig({
  vocab_size: 512,
  hidden_size: 64,
  num_hidden_layers: 2,
  num_attention_heads: 4,
  num_key_value_heads: 2,
  intermediate_size: 128,
  max_position_embeddings: 256,
  tie_word_embeddings: true,
})
const base = baseShape("twig", llama, config, null)
const env = methodEnv(base, null, 0)
const prepared = (name: string, settings = {}) => methods.find((method) => method.name === name)!.prepare(settings)
const plan = (name: string, settings = {}, options: Partial<Parameters<typeof planTraining>[0]> = {}) =>
  planTraining({ base, env, method: prepared(name, settings), rows: 4, length: 32, backend: "native", ...options })
const partOf = ({ parts }: Pick<TrainingPlan, "parts">, wanted: string) =>
  parts.find(({ name }) => name === wanted)?.bytes ?? 0

describe("planTraining()", () => {
  test("the divergence from the frozen base takes a second forward pass", () => {
    const [without, with_] = [plan("lora"), plan("lora", {}, { divergence: true })]
    expect(partOf(with_, "activations")).toBeGreaterThan(partOf(without, "activations"))
    expect(partOf(with_, "inputs")).toBeGreaterThan(partOf(without, "inputs"))
    expect(partOf(with_, "evaluation")).toBe(partOf(without, "evaluation"))
    expect(partOf(with_, "gradients")).toBe(partOf(without, "gradients"))
  })

  for (const { name } of methods) {
    test(`plans ${name} from shapes alone`, () => {
      const { parts, total, trainable } = plan(name)
      expect(trainable).toBeGreaterThan(0)
      for (const { name, bytes } of parts) {
        expect(partNames).toContain(name)
        expect(Number.isFinite(bytes) && bytes >= 0).toBe(true)
      }
      expect(total).toBeCloseTo(parts.reduce((sum, { bytes }) => sum + bytes, 0))
      expect(partOf({ parts }, "activations")).toBeGreaterThan(0)
    })
  }

  test("counts values, moments and gradients of what is trained, and checkpoints and best values where they are kept", () => {
    const parts = plan("lora", { rank: 4 })
    // Seven layers in each of two blocks: rank * (in + out).
    const values = 2 * 4 * (64 + 64 + 2 * (64 + 32) + 64 + 64 + 2 * (64 + 128) + 128 + 64)
    expect(parts.trainable).toBe(values)
    expect(partOf(parts, "trainables")).toBe(2 * 4 * values)
    expect(partOf(parts, "gradients")).toBe(3 * 4 * values)
    expect(partOf(parts, "optimizer")).toBe(2 * 4 * values)
    expect(partOf(parts, "checkpoint")).toBe(4 * 4 * values)
    const bare = plan("lora", { rank: 4 }, { evaluates: false, checkpoints: false })
    expect(partOf(bare, "trainables")).toBe(4 * values)
    expect(partOf(bare, "checkpoint") + partOf(bare, "evaluation")).toBe(0)
  })

  test("what AdaLoRA remembers takes memory and is not trained", () => {
    const shared = { rank: 4, initRank: 6 }
    const values = 2 * (6 * (64 + 64 + 2 * (64 + 32) + 64 + 64 + 2 * (64 + 128) + 128 + 64) + 7 * 6)
    const parts = plan("adalora", shared)
    expect(parts.trainable).toBe(values)
    expect(partOf(parts, "optimizer")).toBeGreaterThan(2 * 4 * values)
  })

  test("maps the frozen weights once for each session, and none of them where all are trained", () => {
    const weights = 4 * (512 * 64 + 2 * (64 * 64 * 2 + 2 * 64 * 32 + 3 * 64 * 128 + 2 * 64) + 64)
    expect(partOf(plan("lora"), "weights")).toBe(2 * weights)
    expect(partOf(plan("lora", {}, { evaluates: false }), "weights")).toBe(weights)
    expect(partOf(plan("full"), "weights")).toBe(0)
    const held = baseShape("twig", llama, config, "int8")
    expect(partOf(plan("lora", {}, { base: held }), "weights")).toBeLessThan(0.3 * 2 * weights)
    // All but the norms, at two bytes.
    const norms = 4 * 64 * (2 * 2 + 1)
    const half = baseShape("twig", llama, config, "f16")
    expect(partOf(plan("lora", {}, { base: half }), "weights")).toBe(weights + norms)
  })

  test("grows with rows and with rank, and not with rows that are computed one piece after the other", () => {
    expect(plan("lora", {}, { rows: 8 }).total).toBeGreaterThan(plan("lora").total)
    expect(plan("lora", { rank: 64 }).total).toBeGreaterThan(plan("lora").total)
    const many = [64, 128].map((rows) => plan("lora", {}, { rows, length: 256 }))
    expect(many.map(({ rowsAtOnce }) => rowsAtOnce)).toEqual([16, 16])
    expect(partOf(many[0]!, "activations")).toBe(partOf(many[1]!, "activations"))
  })

  test("reckons with the batches that are largest at once, which need not be those of the longest rows", () => {
    // Of 4,096 positions at once: 12 rows of 320 tokens, all 16 of 256.
    const of = (lengths: readonly number[]) => plan("lora", {}, { rows: 16, length: 320, lengths })
    expect([of([320]), of([256, 320])].map(({ rowsAtOnce }) => rowsAtOnce)).toEqual([8, 16])
    expect(partOf(of([256, 320]), "activations")).toBeGreaterThan(partOf(of([320]), "activations"))
    expect(of([32, 64, 256, 320]).total).toBe(of([256, 320]).total)
  })

  test("has a decoder beside it where answers are scored between tasks", () => {
    const scoring = partOf(plan("lora", {}, { scoresBetween: true }), "scoring")
    const serving = planServing({
      base,
      env,
      method: prepared("lora"),
      adapters: 1,
      sequences: 1,
      length: 32,
      backend: "native",
    })
    expect(scoring).toBe(serving.total - calibrations.native.process)
    expect(partOf(plan("lora"), "scoring")).toBe(0)
  })

  test("counts no gradients of what is only remembered", () => {
    const { trainable, parts } = plan("adalora")
    // Importance and uncertainty of each value are summed up like the rest, and that is all.
    expect(partOf({ parts }, "gradients") / (4 * trainable)).toBeCloseTo(3 + 2, 1)
  })

  test("a run by the command has the command beside it", () => {
    const beside = plan("lora", {}, { command: true }).total - plan("lora").total
    expect(beside).toBe(calibrations.native.command)
  })

  test("counts masks of dropout, a byte for each element of each layer's input", () => {
    const extra = partOf(plan("lora", { dropout: 0.1 }), "inputs") - partOf(plan("lora"), "inputs")
    expect(extra).toBe(4 * 32 * 2 * (4 * 64 + 2 * 64 + 128))
  })
})

describe("planServing()", () => {
  const serve = (name: string, options = {}) =>
    planServing({
      base,
      env,
      method: prepared(name),
      adapters: 2,
      sequences: 3,
      length: 64,
      backend: "native",
      ...options,
    })

  test("counts a cache for each sequence, which WebAssembly holds twice, a prompt's rows on their way, and each adapter", () => {
    const position = 2 * 2 * 2 * 16 * 4
    expect(partOf(serve("lora"), "kv-cache")).toBe((3 + 3) * 64 * position)
    expect(partOf(serve("lora", { backend: "wasm" }), "kv-cache")).toBe((6 + 3) * 64 * position)
    expect(partOf(serve("lora"), "adapters")).toBe(2 * partOf(serve("lora", { adapters: 1 }), "adapters"))
    expect(partOf(serve("prompt_tuning"), "adapters")).toBe(2 * (2 * 4 * 16 * 64 + 16 * position))
  })

  test("counts an output layer of the adapter's own, which rows of tokens make whole as well", () => {
    const table = 4 * 512 * 64
    const of = (settings: object, options = {}) => serve("lora", { method: prepared("lora", settings), ...options })
    const plain = of({})
    const whole = of({ save: "lm_head" })
    // As read and as fed, for each of two adapters.
    expect(partOf(whole, "adapters") - partOf(plain, "adapters")).toBe(2 * 2 * table)
    const rows = of({ tokens: [3, 4, 5] })
    expect(partOf(rows, "adapters") - partOf(plain, "adapters")).toBe(2 * (2 * 3 * 64 * 4 + table))
    // Its graph, and on WebAssembly the weight that it is fed.
    for (const own of [whole, rows]) expect(partOf(own, "engine")).toBeGreaterThan(partOf(plain, "engine"))
    const wasm = { backend: "wasm" }
    const [fed, none] = [of({ tokens: [3] }, wasm), of({}, wasm)]
    expect(partOf(fed, "activations") - partOf(none, "activations")).toBe(table)
    // The embedding alone needs no output layer.
    expect(partOf(of({ save: "embed_tokens" }), "engine")).toBe(partOf(plain, "engine"))
    expect(of({ save: "lm_head" }, { adapters: 0 }).total).toBe(of({}, { adapters: 0 }).total)
  })

  test("has no adapters of a method that leaves a base of its own", () => {
    expect(partOf(serve("full"), "adapters")).toBe(0)
    expect(serve("full").total).toBe(serve("lora", { adapters: 0 }).total)
  })
})
