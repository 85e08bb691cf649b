/**
 * @module The wasm backend: what every backend does, and its threads.
 */
import { expect, test } from "bun:test"
import { f32 } from "../../src/core/tensor.ts"
import { wasm } from "../../src/runtime/wasm.ts"
import { runtimeCases } from "../cases/runtime.case.ts"
import { linearModel, linearWeights } from "../support/onnx-models.ts"

runtimeCases(wasm)

test("the first opening settles how many threads there are, and later ones say so", async () => {
  const first = await wasm.open({ threads: 2 })
  const second = await wasm.open({ threads: first.threads + 1 })
  expect(second.threads).toBe(first.threads)
  expect(second.detail).toBe(first.detail)
})

test("weights that are there stretch by stretch are never asked for as a whole", async () => {
  const runtime = await wasm.open()
  const whole = await linearWeights.bytes()
  const asked: number[][] = []
  const shared = new Uint8Array(whole.length)
  const session = await runtime.createSession({
    model: linearModel,
    weights: {
      ...linearWeights,
      bytes: () => Promise.reject(new Error("Expected to be asked for a stretch")),
      part(offset, length) {
        asked.push([offset, length])
        shared.set(whole.subarray(offset, offset + length))
        return shared.subarray(0, length)
      },
    },
  })
  shared.fill(0)
  const { y } = await session.run({ x: f32([1, 3], [1, 0, 0]) })
  expect([...y!.data]).toEqual([1, 2])
  // How often is the engine's affair.
  expect(new Set(asked.map(String))).toEqual(new Set(["4096,24"]))
  await session.dispose()
})
