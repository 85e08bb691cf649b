/**
 * @module Weights held in fewer bits: operators over codes of 8 and 4 bits against the numbers that the codes stand for, and
 * whole bases (of f16 too) against f32 bases of those numbers, on both CPU backends.
 */
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test"
import { randomWeights } from "../../scripts/random-base.ts"
import {
  blockBytes,
  CODE_BLOCK,
  type CodeBits,
  type CodeMatrix,
  dequantizeCodes,
  quantizeCodes,
} from "../../src/core/codes.ts"
import { rng } from "../../src/core/rng.ts"
import { f32, i64, type Tensor } from "../../src/core/tensor.ts"
import { type CodesValue, GraphBuilder } from "../../src/graph/builder.ts"
import type { Value } from "../../src/graph/ir.ts"
import { lower } from "../../src/graph/lower/lower.ts"
import { encodeModel } from "../../src/graph/onnx/write.ts"
import type { Lowering } from "../../src/graph/op.ts"
import type { Base } from "../../src/models/base.ts"
import { llama } from "../../src/models/llama.ts"
import { type Quantization, quantizations } from "../../src/models/quantization.ts"
import { methodEnv } from "../../src/presets/method-env.ts"
import { native } from "../../src/runtime/native.ts"
import type { Runtime } from "../../src/runtime/runtime.ts"
import { wasm } from "../../src/runtime/wasm.ts"
import { graphDecoder } from "../../src/serve/graph-decoder.ts"
import { loadedAdapterOf } from "../../src/service/save-adapter.ts"
import { clipGradients } from "../../src/train/clip.ts"
import { adamW } from "../../src/train/optimizer.ts"
import { heldBases, heldFixture } from "../support/held-bases.ts"
import { lora, loraGradients, loraStep, randomBatch } from "../support/lora-step.ts"

// Both backends load here, which takes a busy machine its time.
setDefaultTimeout(60_000)
const runtimes = {} as Record<"native" | "wasm", Runtime>
beforeAll(async () => {
  runtimes.native = await native.open({ threads: 1 })
  runtimes.wasm = await wasm.open({ threads: 1 })
})
afterAll(async () => {
  await runtimes.native.dispose()
  await runtimes.wasm.dispose()
})
/** The native backend as if it had no kernels for 8-bit weights. */
const withoutKernels = (): Runtime => ({ ...runtimes.native, integerProducts: false })

const [ROWS, OUT, IN] = [3, 5, 64]
const random = rng(1, "int8")
const normal = (size: number): Float32Array => Float32Array.from({ length: size }, () => random.normal())
const widths = [8, 4] as const satisfies readonly CodeBits[]
const BLOCKS = (OUT * IN) / CODE_BLOCK
/** A matrix [OUT, IN] as codes, and the numbers that they stand for. */
const matrices = Object.fromEntries(
  widths.map((bits) => {
    const matrix = quantizeCodes(normal(OUT * IN), bits)
    return [bits, { matrix, numbers: dequantizeCodes(matrix) }]
  }),
) as Record<CodeBits, { matrix: CodeMatrix; numbers: Float32Array }>
/** Its codes, of a shape that ends with a block's bytes. */
const codesOf = (g: GraphBuilder, bits: CodeBits, shape: readonly number[] = [BLOCKS]): CodesValue => ({
  bits,
  codes: g.constant({ dtype: "u8", shape: [...shape, blockBytes(bits)], data: matrices[bits].matrix.codes }),
  scales: g.constant(f32([BLOCKS], matrices[bits].matrix.scales)),
})

/** Runs a graph of one output over one f32 input of symbolic rows. */
async function compute(
  runtime: Runtime,
  lowering: Lowering,
  x: Tensor<"f32">,
  build: (g: GraphBuilder, x: Value) => Value,
): Promise<Tensor> {
  const g = new GraphBuilder()
  g.output("y", build(g, g.input("x", "f32", ["N", x.shape[1]!])))
  const model = encodeModel(lower(g.finish("int8"), lowering))
  const session = await runtime.createSession({ model, weights: null, prepack: true })
  const { y } = await session.run({ x })
  await session.dispose()
  return y!
}

/** Numbers against numbers, within rounding of f32 sums. */
function expectClose(found: ArrayLike<number>, wanted: ArrayLike<number>, tolerance = 1e-4): void {
  expect(found.length).toBe(wanted.length)
  let worst = 0
  for (let i = 0; i < wanted.length; i++) worst = Math.max(worst, Math.abs(found[i]! - wanted[i]!))
  expect(worst).toBeLessThan(tolerance)
}

for (const backend of ["native", "wasm"] as const) {
  for (const [lowering, bits] of [
    ["fused", 8],
    ["standard", 8],
    ["fused", 4],
    ["standard", 4],
  ] as const) {
    const { numbers } = matrices[bits]
    describe(`${backend}, ${lowering} lowering, ${bits} bits`, () => {
      test("codesProduct multiplies by what the codes stand for, either way round", async () => {
        const x = f32([ROWS, IN], normal(ROWS * IN))
        const y = await compute(runtimes[backend], lowering, x, (g, value) => g.codesProduct(value, codesOf(g, bits)))
        expect(y.shape).toEqual([ROWS, OUT])
        expectClose(
          y.data as Float32Array,
          Array.from({ length: ROWS * OUT }, (_, at) => {
            const [row, out] = [Math.floor(at / OUT), at % OUT]
            return x.data.subarray(row * IN, (row + 1) * IN).reduce((sum, v, i) => sum + v * numbers[out * IN + i]!, 0)
          }),
        )
        const dy = f32([ROWS, OUT], normal(ROWS * OUT))
        const back = await compute(runtimes[backend], lowering, dy, (g, value) =>
          g.codesProduct(value, codesOf(g, bits), { transposed: true }),
        )
        expect(back.shape).toEqual([ROWS, IN])
        expectClose(
          back.data as Float32Array,
          Array.from({ length: ROWS * IN }, (_, at) => {
            const [row, column] = [Math.floor(at / IN), at % IN]
            return dy.data
              .subarray(row * OUT, (row + 1) * OUT)
              .reduce((s, v, o) => s + v * numbers[o * IN + column]!, 0)
          }),
        )
      })

      test("codesRows gives the rows of a table that are asked for", async () => {
        const wanted = [4, 0, 4, 2]
        const y = await compute(runtimes[backend], lowering, f32([1, 1], [0]), (g) =>
          g.codesRows(codesOf(g, bits), g.constant(i64([2, 2], wanted)), IN),
        )
        expect(y.shape).toEqual([2, 2, IN])
        expectClose(
          y.data as Float32Array,
          wanted.flatMap((row) => [...numbers.subarray(row * IN, (row + 1) * IN)]),
          1e-6,
        )
      })
    })
  }
}

for (const bits of widths)
  describe(`codesProductRounded of ${bits} bits`, () => {
    const { numbers } = matrices[bits]
    const rounded = (lowering: Lowering, x: Tensor<"f32">) =>
      compute(runtimes.native, lowering, x, (g, value) =>
        g.codesProductRounded(value, codesOf(g, bits, [OUT, IN / CODE_BLOCK])),
      )
    const exact = (x: Tensor<"f32">) =>
      compute(runtimes.native, "fused", x, (g, value) => g.codesProduct(value, codesOf(g, bits)))

    test("rounds its input by no more than half a step of 1/127 of each block's largest number", async () => {
      const x = f32([ROWS, IN], normal(ROWS * IN))
      const [found, wanted] = [(await rounded("fused", x)).data, (await exact(x)).data] as Float32Array[]
      let moved = 0
      for (let row = 0; row < ROWS; row++) {
        for (let out = 0; out < OUT; out++) {
          let bound = 1e-4
          for (let from = 0; from < IN; from += CODE_BLOCK) {
            const input = x.data.subarray(row * IN + from, row * IN + from + CODE_BLOCK)
            const weights = numbers.subarray(out * IN + from, out * IN + from + CODE_BLOCK)
            const step = input.reduce((most, v) => Math.max(most, Math.abs(v)), 0) / 127
            bound += (step / 2) * weights.reduce((sum, w) => sum + Math.abs(w), 0)
          }
          const off = Math.abs(found![row * OUT + out]! - wanted![row * OUT + out]!)
          expect(off).toBeLessThan(bound)
          moved = Math.max(moved, off)
        }
      }
      expect(moved).toBeGreaterThan(1e-4)
    })

    test("is exact for an input that 8 bits hold", async () => {
      const whole = Float32Array.from({ length: ROWS * IN }, (_, i) =>
        i % CODE_BLOCK === 7 ? 127 : random.below(255) - 127,
      )
      const x = f32([ROWS, IN], whole)
      expectClose((await rounded("fused", x)).data as Float32Array, (await exact(x)).data as Float32Array, 2e-2)
    })

    test("leaves its input as it is under the standard lowering", async () => {
      const x = f32([ROWS, IN], normal(ROWS * IN))
      expectClose((await rounded("standard", x)).data as Float32Array, (await exact(x)).data as Float32Array)
    })
  })

/** Logits of a prompt at once and of tokens one by one after it. */
async function logitsOf(runtime: Runtime, base: Base): Promise<Float32Array> {
  const draw = rng(5, "ids")
  const ids = Array.from({ length: 24 }, () => draw.below(base.config.vocabSize))
  const decoder = await graphDecoder({ runtime, base })
  const sequence = await decoder.open(null, 32)
  const found = [...(await sequence.append(ids.slice(0, 18), true))]
  for (const id of ids.slice(18)) found.push(...(await sequence.append([id])))
  sequence.close()
  await decoder.dispose()
  return Float32Array.from(found)
}

const rms = (values: Float32Array): number => Math.sqrt(values.reduce((sum, x) => sum + x * x, 0) / values.length)

/** An output layer of its own, rows of which 48 numbers stay f32, and layers of which 64 don't. */
function oddBases(quantization: Quantization) {
  const config = llama.parseConfig({
    vocab_size: 96,
    hidden_size: 48,
    num_hidden_layers: 2,
    num_attention_heads: 4,
    num_key_value_heads: 2,
    head_dim: 16,
    intermediate_size: 64,
    max_position_embeddings: 64,
    tie_word_embeddings: false,
  })
  return heldBases(llama, config, randomWeights(llama, config, 1), quantization)
}
function untiedBases(quantization: Quantization) {
  const config = llama.parseConfig({
    vocab_size: 96,
    hidden_size: 64,
    num_hidden_layers: 2,
    num_attention_heads: 4,
    intermediate_size: 96,
    max_position_embeddings: 64,
    tie_word_embeddings: false,
  })
  return heldBases(llama, config, randomWeights(llama, config, 2), quantization)
}

const cases = {
  llama: (quantization: Quantization) => heldFixture("llama", quantization),
  "qwen2, with biases": (quantization: Quantization) => heldFixture("qwen2", quantization),
  "phi3, with joined layers": (quantization: Quantization) => heldFixture("phi3", quantization),
  "gemma2, under caps": (quantization: Quantization) => heldFixture("gemma2", quantization),
  "gpt2, with weights that are [in, out]": (quantization: Quantization) => heldFixture("gpt2", quantization),
  "an output layer of its own": untiedBases,
  "rows that are not whole blocks": oddBases,
}

for (const [name, quantization, open] of Object.entries(cases).flatMap(([name, open]) =>
  quantizations.map((quantization) => [name, quantization, open] as const),
)) {
  describe(`a base held as ${quantization}: ${name}`, () => {
    test("has the logits of an f32 base of the rounded weights, where its inputs stay f32", async () => {
      const { held, rounded } = await open(quantization)
      const tolerance = quantization === "f16" ? 1e-5 : 1e-4
      const wanted = await logitsOf(runtimes.native, rounded)
      expectClose(await logitsOf(withoutKernels(), held), wanted, tolerance)
      expectClose(await logitsOf(runtimes.wasm, held), wanted, tolerance)
    })

    if (quantization === "f16") {
      test("has the logits of the f32 base to what 11 bits of a weight tell", async () => {
        const bases = await open(quantization)
        const wanted = await logitsOf(runtimes.native, bases.f32)
        const found = await logitsOf(runtimes.native, bases.held)
        const off = rms(found.map((x, i) => x - wanted[i]!)) / rms(wanted)
        expect(off).toBeLessThan(2e-3)
        expect(off).toBeGreaterThan(1e-6)
      })
      return
    }

    test("has nearly the logits of the f32 base on kernels for 8-bit weights", async () => {
      const bases = await open(quantization)
      const wanted = await logitsOf(runtimes.native, bases.f32)
      const found = await logitsOf(runtimes.native, bases.held)
      const off = rms(found.map((x, i) => x - wanted[i]!))
      expect(off).toBeLessThan((quantization === "int8" ? 0.04 : 0.5) * rms(wanted))
      // Were the input not rounded either, the kernels would not be in use.
      const rounded = await logitsOf(runtimes.native, bases.rounded)
      expect(rms(found.map((x, i) => x - rounded[i]!))).toBeGreaterThan(1e-4 * rms(wanted))
    })
  })
}

for (const quantization of quantizations)
  describe(`LoRA over a base held as ${quantization}`, () => {
    for (const name of ["llama", "qwen2", "qwen3", "gemma2", "phi3", "gpt2"]) {
      test(`${name}: has the loss and the gradients of an f32 base of the rounded weights`, async () => {
        const { held, rounded } = await heldFixture(name, quantization)
        const results = []
        for (const [runtime, base] of [
          [runtimes.native, rounded],
          [runtimes.native, held],
          [runtimes.wasm, held],
          [{ ...runtimes.native, lowering: "standard" }, held],
        ] as const) {
          results.push(await loraGradients(runtime, base))
        }
        const [wanted, ...found] = results
        expect(rms(wanted!.gradients)).toBeGreaterThan(1e-4)
        for (const { loss, gradients } of found) {
          expect(Math.abs(loss - wanted!.loss)).toBeLessThan(1e-5)
          expectClose(gradients, wanted!.gradients, 1e-5)
        }
      })
    }

    test("lowers the loss, and the adapter answers over the held and the f32 base", async () => {
      const bases = await heldFixture("llama", quantization)
      const step = await loraStep(runtimes.native, bases.held)
      const optimizer = adamW(step.parameters)
      const batch = randomBatch(bases.held)
      const losses: number[] = []
      for (let i = 0; i < 30; i++) {
        const gradients = new Float32Array(step.values.length)
        losses.push(await step.forwardBackward(batch, 1 / batch.labelled, gradients, 0))
        clipGradients(gradients, 1)
        optimizer.update(step.values, gradients, 1e-2)
      }
      expect(losses.at(-1)!).toBeLessThan(0.5 * losses[0]!)

      const env = methodEnv(bases.held, null, 1)
      const adapter = await loadedAdapterOf({ base: bases.held, method: lora, env, tensors: step.tensors() })
      const ids = [...batch.ids.subarray(0, 15)]
      for (const base of [bases.held, bases.f32]) {
        const decoder = await graphDecoder({ runtime: runtimes.native, base })
        const crossEntropy = async (bound: Awaited<ReturnType<typeof decoder.bind>> | null): Promise<number> => {
          const sequence = await decoder.open(bound, 16)
          const logits = await sequence.append(ids, true)
          sequence.close()
          const vocab = base.config.vocabSize
          let total = 0
          for (let t = 0; t < 14; t++) {
            const row = logits.subarray(t * vocab, (t + 1) * vocab)
            total += Math.log(row.reduce((sum, z) => sum + Math.exp(z), 0)) - row[ids[t + 1]!]!
          }
          return total / 14
        }
        expect(await crossEntropy(await decoder.bind(adapter))).toBeLessThan(0.6 * (await crossEntropy(null)))
        await decoder.dispose()
      }
      await step.dispose()
    })
  })
