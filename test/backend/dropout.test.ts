/**
 * @module LoRA with dropout over a real engine: its gradient, what it leaves alone, and that a run comes again.
 */
import { afterAll, beforeAll, describe, expect, test } from "bun:test"
import { dirname, join } from "node:path"
import * as v from "valibot"
import { rng } from "../../src/core/rng.ts"
import type { Batch } from "../../src/data/batch.ts"
import { lower } from "../../src/graph/lower/lower.ts"
import { encodeModel } from "../../src/graph/onnx/write.ts"
import { defineMethod, type PreparedMethod } from "../../src/method.ts"
import type { Base } from "../../src/models/base.ts"
import { methodEnv } from "../../src/presets/method-env.ts"
import { openBase } from "../../src/presets/open-base.ts"
import { native } from "../../src/runtime/native.ts"
import type { Runtime } from "../../src/runtime/runtime.ts"
import { wasm } from "../../src/runtime/wasm.ts"
import { decodeCheckpoint, encodeCheckpoint } from "../../src/train/checkpoint.ts"
import type { Snapshot } from "../../src/train/snapshot.ts"
import { trainGraph } from "../../src/train/train-graph.ts"
import { train } from "../../src/train/trainer.ts"
import { lora, loraGradients, loraStep, loraWithDropout, randomBatch } from "../support/lora-step.ts"

let runtime: Runtime
let base: Base
beforeAll(async () => {
  runtime = await native.open({ threads: 1 })
  const folder = join(dirname(import.meta.dir), "fixtures", "parity", "llama", "base")
  base = (await openBase(folder, { cacheFolder: null })).base
})
afterAll(() => runtime.dispose())

const dropping = loraWithDropout(0.25)

/** The graph's bytes under one lowering. */
function bytesOf(method: PreparedMethod, withGradients: boolean): Uint8Array {
  const sites = method.parameters(methodEnv(base, null, 0))
  const { graph } = trainGraph({ base, method, sites, maxLength: 16, chunks: 1, withGradients })
  return encodeModel(lower(graph, "fused"))
}

/** LoRA of rank 4 without a word about dropout. */
const plain = defineMethod({
  name: "lora",
  summary: "",
  source: "",
  config: v.strictObject({}),
  learningRate: 1e-3,
  params(site) {
    if (site.kind !== "linear" || site.role === "head") return []
    const key = `base_model.model.${site.path}`
    return [
      { name: "lora_A", key: `${key}.lora_A.weight`, shape: [4, site.inFeatures], init: { kind: "zeros" } },
      { name: "lora_B", key: `${key}.lora_B.weight`, shape: [site.outFeatures, 4], init: { kind: "zeros" } },
    ]
  },
  hooks: {
    linear: ({ g, x, base }, { lora_A, lora_B }) =>
      g.gemm(g.gemm(x, lora_A, { transB: true }), lora_B, { transB: true, alpha: 4, c: base(x) }),
  },
  finish: () => [],
  peft: null,
}).prepare({})

describe("a graph", () => {
  test("without dropout is the same to the byte as that of a LoRA that has none", () => {
    expect(Buffer.compare(bytesOf(lora, true), bytesOf(plain, true))).toBe(0)
    expect(Buffer.compare(bytesOf(dropping, true), bytesOf(plain, true))).not.toBe(0)
  })

  test("that only evaluates has no dropout", () => {
    expect(Buffer.compare(bytesOf(dropping, false), bytesOf(lora, false))).toBe(0)
  })
})

describe("a step with dropout", () => {
  test("has the gradient of its own loss under the same masks", async () => {
    const step = await loraStep(runtime, base, dropping)
    const batch = randomBatch(base)
    const lossAt = (gradients = new Float32Array(step.values.length)): Promise<number> =>
      step.forwardBackward(batch, 1 / batch.labelled, gradients, 11)
    const gradients = new Float32Array(step.values.length)
    await lossAt(gradients)
    const held = step.values.slice()
    for (const factor of ["lora_A", "lora_B"]) {
      // Along the gradient of one factor of all layers: what is differentiated is then far above rounding.
      const along = new Float32Array(held.length)
      for (const { name, offset, size } of step.parameters)
        if (name.includes(factor)) along.set(gradients.subarray(offset, offset + size), offset)
      const norm = Math.sqrt(along.reduce((sum, x) => sum + x * x, 0))
      expect(norm).toBeGreaterThan(1e-3)
      const shifted = async (by: number): Promise<number> => {
        for (let i = 0; i < held.length; i++) step.values[i] = held[i]! + (by * along[i]!) / norm
        return lossAt()
      }
      const difference = ((await shifted(0.02)) - (await shifted(-0.02))) / 0.04
      step.values.set(held)
      expect(Math.abs(difference / norm - 1)).toBeLessThan(5e-3)
    }
    await step.dispose()
  })

  test("gives the same for the same seed, and something else for another", async () => {
    const step = await loraStep(runtime, base, dropping)
    const batch = randomBatch(base)
    const at = async (seed: number): Promise<number> =>
      step.forwardBackward(batch, 1 / batch.labelled, new Float32Array(step.values.length), seed)
    const [first, other, again] = [await at(1), await at(2), await at(1)]
    expect(again).toBe(first)
    expect(Math.abs(other - first)).toBeGreaterThan(1e-4)
    await step.dispose()
  })

  test("keeps the expectation: while B is zero its gradients' mean over seeds is the gradient without dropout", async () => {
    const batch = randomBatch(base)
    /** The mean gradient of every B, which is linear in the input that is dropped from, over so many seeds. */
    const meanOf = async (method: PreparedMethod, seeds: number): Promise<Float32Array> => {
      const step = await loraStep(runtime, base, method)
      const ofB = step.parameters.filter(({ name }) => name.includes("lora_B"))
      for (const { offset, size } of ofB) step.values.fill(0, offset, offset + size)
      const gradients = new Float32Array(step.values.length)
      for (let seed = 0; seed < seeds; seed++) await step.forwardBackward(batch, 1 / batch.labelled, gradients, seed)
      await step.dispose()
      return Float32Array.from(ofB.flatMap(({ offset, size }) => [...gradients.subarray(offset, offset + size)])).map(
        (x) => x / seeds,
      )
    }
    const dot = (a: Float32Array, b: Float32Array): number => a.reduce((sum, x, i) => sum + x * b[i]!, 0)
    const wanted = await meanOf(lora, 1)
    const found = await meanOf(dropping, 48)
    // Without the scale it would be 0.75.
    expect(Math.abs(dot(found, wanted) / dot(wanted, wanted) - 1)).toBeLessThan(0.02)
    const one = await meanOf(dropping, 1)
    const off = (a: Float32Array): number =>
      Math.sqrt(
        dot(
          a.map((x, i) => x - wanted[i]!),
          a.map((x, i) => x - wanted[i]!),
        ),
      )
    // The mean of 48 is off by a seventh of what one is.
    expect(off(found)).toBeLessThan(0.25 * off(one))
  }, 60_000)

  test("drops nothing where it evaluates", async () => {
    const [with25, without] = [await loraStep(runtime, base, dropping), await loraStep(runtime, base)]
    expect(with25.values).toEqual(without.values)
    const batch = randomBatch(base)
    expect(await with25.evaluate(batch)).toEqual(await without.evaluate(batch))
    await with25.dispose()
    await without.dispose()
  })

  test("has the same masks on every backend, and under both lowerings", async () => {
    const web = await wasm.open({ threads: 1 })
    const wanted = await loraGradients(runtime, base, dropping)
    const standard: Runtime = { ...runtime, lowering: "standard" }
    for (const other of [web, standard]) {
      const found = await loraGradients(other, base, dropping)
      expect(Math.abs(found.loss - wanted.loss)).toBeLessThan(1e-5)
      expect(Math.max(...found.gradients.map((x, i) => Math.abs(x - wanted.gradients[i]!)))).toBeLessThan(1e-5)
    }
    await web.dispose()
  }, 60_000)

  test("of a probability of 1 leaves nothing of the adapter, and no number that is none", async () => {
    const batch = randomBatch(base)
    const step = await loraStep(runtime, base, loraWithDropout(1))
    const gradients = new Float32Array(step.values.length)
    const loss = await step.forwardBackward(batch, 1, gradients, 1)
    step.values.fill(0)
    const { loss: frozen } = await step.evaluate(batch)
    expect(Math.abs(loss - frozen) / frozen).toBeLessThan(1e-6)
    expect(gradients.every((x) => x === 0)).toBe(true)
    await step.dispose()
  })
})

test("a run with dropout that was stopped and resumed has the losses and the values of one that was not", async () => {
  const rows = randomBatch(base)
  /** Another batch at each step, of two micro-batches. */
  const batches = (step: number): Batch[] =>
    [0, 1].map((micro) => {
      const draw = rng(step, `micro:${micro}`)
      const ids = rows.ids.map(() => draw.below(base.config.vocabSize))
      return { ...rows, ids, labels: ids }
    })
  const identity = { base: "b", data: "d", config: {}, runtime: runtime.detail, threads: 1 }
  const go = async (stopAfter: number | null, resume?: Snapshot) => {
    const step = await loraStep(runtime, base, dropping)
    const stop = new AbortController()
    let saved: Uint8Array | null = null
    const { losses, status } = await train(
      step,
      { source: { stepsPerEpoch: null, batches: async (made) => batches(made) }, heldout: [] },
      { epochs: 1, maxSteps: 6, learningRate: 1e-2, evaluateEvery: 6, checkpointEvery: null, seed: 4 },
      {
        signal: stop.signal,
        onEvent: (event) => event.type === "step-end" && event.step === stopAfter && stop.abort(),
        saveCheckpoint: async (snapshot) => {
          saved = encodeCheckpoint(snapshot, identity)
        },
      },
      resume,
    )
    const values = step.values.slice()
    await step.dispose()
    return { losses, status, values, saved: saved as Uint8Array | null }
  }
  const whole = await go(null)
  expect(new Set(whole.losses).size).toBe(6)
  const first = await go(3)
  expect([first.status, first.losses]).toEqual(["interrupted", whole.losses.slice(0, 3)])
  const rest = await go(null, decodeCheckpoint(first.saved!, "checkpoint", identity))
  expect(rest.losses).toEqual(whole.losses.slice(3))
  expect(Buffer.compare(Buffer.from(rest.values.buffer), Buffer.from(whole.values.buffer))).toBe(0)
}, 60_000)
