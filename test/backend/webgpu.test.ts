/**
 * @module The webgpu backend, where there is an adapter: on a machine without a GPU, SwiftShader by VK_ICD_FILENAMES.
 */
import { expect, test } from "bun:test"
import { native } from "../../src/runtime/native.ts"
import { webgpu } from "../../src/runtime/webgpu.ts"
import { graphDecoder } from "../../src/serve/graph-decoder.ts"
import { runtimeCases } from "../cases/runtime.case.ts"
import { codedFixture } from "../support/coded-bases.ts"
import { loraGradients, loraWithDropout } from "../support/lora-step.ts"

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
    const { held, rounded } = await codedFixture("llama", "int8")
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

/** Masks are inputs, and what they keep is computed by operators that this backend has. */
const dropoutCase = (): void =>
  test("webgpu has the losses and gradients of LoRA with dropout as the CPU has them", async () => {
    const { f32 } = await codedFixture("llama", "int8")
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

if (found.ok) {
  runtimeCases(webgpu)
  codesCase()
  dropoutCase()
} else test.skipIf(true)(`the webgpu backend: ${found.reason}`, () => {})
