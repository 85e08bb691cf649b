/**
 * @module Weights that sessions share in an engine's memory, over an uploader that counts what it lays there.
 */
import { expect, test } from "bun:test"
import type { PlacedWeight, Tensor } from "../../../src/core/tensor.ts"
import type { DeviceTensor, FrozenWeights } from "../../../src/runtime/runtime.ts"
import { SharedWeights } from "../../../src/runtime/shared-weights.ts"

const blob = new Uint8Array(64).map((_, i) => i)
const wide: PlacedWeight = { name: "wide", dtype: "f32", shape: [2, 4], offset: 0, length: 32 }
const half: PlacedWeight = { name: "half", dtype: "f16", shape: [8], offset: 34, length: 16 }
const codes: PlacedWeight = { name: "codes", dtype: "u8", shape: [4], offset: 60, length: 4 }

/** A shelf, what lies there now, and how often and how much was laid there and read. */
function counted() {
  const counts = { uploads: 0, bytes: 0, live: 0, reads: 0 }
  const laid: Tensor[] = []
  const upload = async (tensor: Tensor<"f32" | "f16">): Promise<DeviceTensor> => {
    await Promise.resolve()
    counts.uploads++
    counts.bytes += tensor.data.byteLength
    counts.live++
    laid.push(tensor)
    const { dtype, shape } = tensor
    return { dtype, shape, handle: tensor, dispose: () => void counts.live-- }
  }
  const weights = (hash: string): FrozenWeights => ({
    ...{ hash, location: "weights.bin", size: blob.length, path: null },
    async bytes() {
      counts.reads++
      // As a part of a larger buffer, at a place where no number begins.
      const around = Buffer.alloc(blob.length + 3)
      around.set(blob, 3)
      return around.subarray(3)
    },
  })
  return { shared: new SharedWeights(upload), counts, laid, weights }
}

test("a second session is fed the same tensors, and nothing is read or uploaded for it", async () => {
  const { shared, counts, laid, weights } = counted()
  const [first, second] = await Promise.all([
    shared.hold(weights("a"), [wide, half]),
    shared.hold(weights("a"), [{ ...half, name: "frozen:half" }, wide]),
  ])
  expect(counts).toEqual({ uploads: 2, bytes: 48, live: 2, reads: 1 })
  expect(second!.feeds["wide"]).toBe(first!.feeds["wide"]!)
  expect(second!.feeds["frozen:half"]).toBe(first!.feeds["half"]!)
  expect(laid.map(({ dtype, shape, data }) => [dtype, shape, [...new Uint8Array(data.buffer as ArrayBuffer)]])).toEqual(
    [
      ["f32", [2, 4], [...blob.slice(0, 32)]],
      ["f16", [8], [...blob.slice(34, 50)]],
    ],
  )
})

test("a weight goes with the last session that holds it, and comes back when it is asked for again", async () => {
  const { shared, counts, weights } = counted()
  const first = await shared.hold(weights("a"), [wide, half])
  const second = await shared.hold(weights("a"), [wide])
  first.release()
  first.release()
  expect(counts.live).toBe(1)
  second.release()
  expect(counts.live).toBe(0)
  await shared.hold(weights("a"), [wide])
  expect(counts).toEqual({ uploads: 3, bytes: 80, live: 1, reads: 2 })
})

test("another blob, and the same bytes in another shape, are other weights", async () => {
  const { shared, counts, weights } = counted()
  await shared.hold(weights("a"), [wide, { ...wide, name: "row", shape: [8] }])
  await shared.hold(weights("b"), [wide])
  expect(counts).toMatchObject({ uploads: 3, live: 3, reads: 2 })
})

test("what can't be held leaves nothing behind, and the next session has its turn", async () => {
  const { shared, counts, weights } = counted()
  await expect(shared.hold(weights("a"), [wide, codes])).rejects.toThrow("Weight codes is u8")
  expect(counts.live).toBe(0)
  await shared.hold(weights("a"), [wide])
  expect(counts.live).toBe(1)
})
