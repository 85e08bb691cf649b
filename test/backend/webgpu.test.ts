/**
 * @module The webgpu backend, where there is an adapter: on a machine without a GPU, SwiftShader by VK_ICD_FILENAMES.
 */
import { expect, test } from "bun:test"
import { readdirSync } from "node:fs"
import { join } from "node:path"
import { methods } from "../../adapters/mod.ts"
import { openBase } from "../../src/presets/open-base.ts"
import { native } from "../../src/runtime/native.ts"
import { webgpu } from "../../src/runtime/webgpu.ts"
import { graphDecoder } from "../../src/serve/graph-decoder.ts"
import { runtimeCases } from "../cases/runtime.case.ts"
import { decodingScenario } from "../support/decoding-scenario.ts"
import { heldFixture } from "../support/held-bases.ts"
import { loraGradients, loraStep, loraWithDropout } from "../support/lora-step.ts"
import { expectOnGpu, placedGraphs, placements, readPlacements } from "../support/placement.ts"

const found = await webgpu.probe()

test("webgpu opens for the standard lowering, or says why it can't", async () => {
  if (!found.ok) {
    await expect(webgpu.open()).rejects.toThrow(/Backend webgpu can't run here: \S/)
    return
  }
  const runtime = await webgpu.open()
  expect(runtime.lowering).toBe("standard")
  expect(runtime.deterministic).toBe(false)
  await runtime.dispose()
})

/** What a base held as 8-bit codes gives here, against an f32 base of what the codes stand for on the CPU. */
const codesCase = (): void =>
  test("webgpu computes with weights held as codes, losses, gradients and logits", async () => {
    const { held, rounded } = await heldFixture("llama", "int8")
    const results = []
    for (const [backend, base] of [
      [native, rounded],
      [webgpu, held],
    ] as const) {
      const runtime = await backend.open({ threads: 1 })
      const { loss, gradients } = await loraGradients(runtime, base)
      const decoder = await graphDecoder({ runtime, base })
      const sequence = await decoder.open(null, 16)
      const logits = (await sequence.append([3, 1, 4, 1, 5], true)).slice()
      await decoder.dispose()
      await runtime.dispose()
      results.push(Float32Array.of(loss, ...gradients, ...logits))
    }
    const [wanted, found] = results as [Float32Array, Float32Array]
    expect(Math.max(...found.map((x, i) => Math.abs(x - wanted[i]!)))).toBeLessThan(1e-4)
  }, 120_000)

/** SwiftShader has no f16 in shaders: there such a base is refused, before anything is computed. */
const f16Case = (): void =>
  test("webgpu computes with weights held as f16, or says that its adapter can't", async () => {
    const { held, rounded } = await heldFixture("llama", "f16")
    const runtime = await webgpu.open()
    try {
      if (!(await runtime.takesF16!())) {
        const refused = { code: "unavailable", message: expect.stringContaining("its adapter has no shader-f16") }
        await expect(graphDecoder({ runtime, base: held })).rejects.toMatchObject(refused)
        await expect(loraGradients(runtime, held)).rejects.toMatchObject(refused)
        return
      }
      const processor = await native.open({ threads: 1 })
      const [found, wanted] = [await loraGradients(runtime, held), await loraGradients(processor, rounded)]
      await processor.dispose()
      expect(Math.abs(found.loss - wanted.loss)).toBeLessThan(1e-4)
      expect(Math.max(...found.gradients.map((x, i) => Math.abs(x - wanted.gradients[i]!)))).toBeLessThan(1e-4)
    } finally {
      await runtime.dispose()
    }
  }, 120_000)

/** What adapters sit on makes sessions of their own, and so does training: none of them has weights of its own. */
const sharedWeightsCase = (): void =>
  test("webgpu lays a base's weights into the GPU's memory once, for decoding with and without adapters", async () => {
    const { f32 } = await heldFixture("llama", "f16")
    let reads = 0
    const bytes = () => {
      reads++
      return f32.weights.bytes()
    }
    const runtime = await webgpu.open()
    const base = { ...f32, weights: { ...f32.weights, bytes } }
    // Decoding joins weights that lie side by side, where training has them apart: each reads the blob once.
    await decodingScenario(runtime, base)
    expect(reads).toBe(1)
    const [decoder, step] = [await graphDecoder({ runtime, base }), await loraStep(runtime, base)]
    expect(reads).toBe(3)
    const second = await graphDecoder({ runtime, base })
    await loraGradients(runtime, base)
    expect(reads).toBe(3)
    for (const each of [second, decoder, step]) await each.dispose()
    await runtime.dispose()
  }, 120_000)

/** Masks are inputs, and what they keep is computed by operators that this backend has. */
const dropoutCase = (): void =>
  test("webgpu has the losses and gradients of LoRA with dropout as the CPU has them", async () => {
    const { f32 } = await heldFixture("llama", "int8")
    const results = []
    for (const backend of [native, webgpu]) {
      const runtime = await backend.open({ threads: 1 })
      const { loss, gradients } = await loraGradients(runtime, f32, loraWithDropout(0.25))
      await runtime.dispose()
      results.push(Float32Array.of(loss, ...gradients))
    }
    const [wanted, found] = results as [Float32Array, Float32Array]
    expect(Math.max(...found.map((x, i) => Math.abs(x - wanted[i]!)))).toBeLessThan(1e-4)
  }, 120_000)

/** Caches and adapters stay on the GPU between runs; Gemma 2's attention is made of other operators. */
const decodingCase = (fixture: string): void =>
  test(`webgpu decodes sequences that come and go, on adapters, as the CPU does: ${fixture}`, async () => {
    const folder = join(import.meta.dir, "..", "fixtures", "parity", fixture, "base")
    const { base } = await openBase(folder, { cacheFolder: null })
    const results = []
    for (const backend of [native, webgpu]) {
      const runtime = await backend.open({ threads: 1 })
      results.push(await decodingScenario(runtime, base))
      await runtime.dispose()
    }
    const [wanted, found] = results as [Float32Array, Float32Array]
    expect(Math.max(...found.map((x, i) => Math.abs(x - wanted[i]!)))).toBeLessThan(1e-4)
  }, 120_000)

/** All methods and all architectures: one log of one process. */
const placementCase = (): void =>
  test("webgpu computes everything but sizes on the GPU, in training by each method and in decoding of each architecture", async () => {
    const cases = readdirSync(join(import.meta.dir, "..", "fixtures", "parity"), { withFileTypes: true })
    const fixtures = cases.filter((entry) => entry.isDirectory()).map(({ name }) => name)
    const graphs = placedGraphs(
      methods.map(({ name }) => name),
      fixtures,
    )
    expectOnGpu(graphs, await placements("node", graphs))
  }, 180_000)

test("a log of the engine is read, and what falls back or is fetched in the midst of a run is found", () => {
  const node = (op: string) =>
    `2026-11-24 [V:onnxruntime:, session_state.cc:1385 VerifyEachNodeIsAssignedToAnEp]   ${op} (n1)`
  const provider = (name: string) =>
    `2026-11-24 [V:onnxruntime:, session_state.cc:1383 X]  Node(s) placed on [${name}]. Number`
  const log = (cpu: string, gpu: string) =>
    ["graph a", provider("CPUExecutionProvider"), node("Shape"), node(cpu)]
      .concat(provider("WebGpuExecutionProvider"), node("Gemm"), node(gpu))
      .join("\n")
  const right = readPlacements(log("Concat", "Add"))
  expect(right.get("a")).toEqual({ cpu: { Shape: 1, Concat: 1 }, gpu: { Gemm: 1, Add: 1 } })
  expectOnGpu(["a"], right)
  expect(() => expectOnGpu(["a"], readPlacements(log("Softmax", "Add")))).toThrow(/a: computed on the processor/)
  expect(() => expectOnGpu(["a"], readPlacements(log("Concat", "MemcpyToHost")))).toThrow(/a fetches from the GPU/)
  expect(() => expectOnGpu(["b"], right)).toThrow(/said nothing of b/)
})

if (found.ok) {
  runtimeCases(webgpu)
  codesCase()
  f16Case()
  sharedWeightsCase()
  dropoutCase()
  for (const fixture of ["llama", "gemma2"]) decodingCase(fixture)
  placementCase()
} else test.skipIf(true)(`the webgpu backend: ${found.reason}`, () => {})
