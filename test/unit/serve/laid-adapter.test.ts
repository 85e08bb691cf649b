import { expect, test } from "bun:test"
import { f32 } from "../../../src/core/tensor.ts"
import { freeForms, inOnePiece, type LaidAdapter, memoryOf } from "../../../src/serve/laid-adapter.ts"

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
  expect(inOnePiece(moved)).toBe(moved)
  // Part of a piece is not handed over with the rest of it.
  expect(memoryOf(inOnePiece({ ...moved, head: null }))[0]!.byteLength).toBe(48)
})

test("forms that were laid out are given back, but for what is fed as it was read", () => {
  const prompt = f32([1, 2], [1, 2])
  // As they come from one file.
  const file = Float32Array.of(3, 4, 5, 6)
  const [a, b] = [f32([1, 2], file.subarray(0, 2)), f32([2, 1], file.subarray(2))]
  const laid: LaidAdapter = {
    ...{ hash: "h", method: "lora", sizeBytes: 4, virtualTokens: 1, prefix: null, tokens: [], head: null },
    feeds: new Map([["lowrank-q", { a: f32([2, 1], [3, 4]) }]]),
    prompts: [prompt],
  }
  freeForms(
    [
      { form: "lowrank", path: "q", a, b, scale: 1 },
      { form: "prompt", embeddings: prompt },
      { form: "table", side: "input", ids: null, rows: f32([1, 2], [7, 8]) },
    ],
    laid,
  )
  expect([a.data.length, b.data.length, prompt.data.length]).toEqual([0, 0, 2])
  expect([...laid.feeds.get("lowrank-q")!["a"]!.data]).toEqual([3, 4])
})
