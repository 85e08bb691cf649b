import { expect, test } from "bun:test"
import { f32 } from "../../../src/core/tensor.ts"
import { inOnePiece, type LaidAdapter, memoryOf } from "../../../src/serve/laid-adapter.ts"

test("an adapter in one piece is the same, in one piece of memory", () => {
  const adapter: LaidAdapter = {
    ...{ hash: "h", method: "lora", sizeBytes: 4, virtualTokens: 1 },
    feeds: new Map([
      ["lowrank-q+k+v", { a: { ...f32([1, 6], [1, 2, 3, 4, 5, 6]), parts: 3 }, b: f32([2, 1], [7, 8]) }],
    ]),
    prefix: { tokens: 1, data: Float32Array.of(9, 10) },
    prompts: [f32([1, 2], [11, 12])],
    tokens: [],
    head: f32([1, 2], [13, 14]),
  }
  expect(memoryOf(adapter)).toHaveLength(5)
  const moved = inOnePiece(adapter)
  expect(moved).toEqual(adapter)
  expect(memoryOf(moved)).toHaveLength(1)
})
