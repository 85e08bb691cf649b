import { expect, test } from "bun:test"
import { ggufBlocks } from "../../../scripts/bench/peers/gguf-blocks.ts"
import { rng } from "../../../src/core/rng.ts"
import { decodeGguf } from "../../../src/formats/gguf/decode.ts"

test("numbers that a block can say come back as they were", () => {
  const q8 = Float32Array.from({ length: 64 }, (_, i) => (i === 0 || i === 32 ? -127 : i - 32) * 0.5)
  expect([...decodeGguf(ggufBlocks("Q8_0", [2, 32], q8))]).toEqual([...q8])
  const q4 = Float32Array.from({ length: 32 }, (_, i) => ((i % 16) - 8) * 0.25)
  expect([...decodeGguf(ggufBlocks("Q4_0", [32], q4))]).toEqual([...q4])
  expect(decodeGguf(ggufBlocks("Q4_0", [32], new Float32Array(32))).every((x) => x === 0)).toBe(true)
})

test("any other number is off by at most half a step, the one opposite to the farthest in 4 bits by a whole one", () => {
  const random = rng(1, "gguf-blocks")
  const data = Float32Array.from({ length: 1024 }, () => random.normal())
  for (const [type, levels, most] of [
    // The scale is rounded to 11 bits, which the farthest number feels most.
    ["Q8_0", 127, 0.5 + 127 / 2 ** 11],
    ["Q4_0", 8, 1 + 8 / 2 ** 11],
  ] as const) {
    const back = decodeGguf(ggufBlocks(type, [32, 32], data))
    for (let i = 0; i < data.length; i += 32) {
      const block = data.subarray(i, i + 32)
      const step = Math.max(...block.map(Math.abs)) / levels
      for (const [j, x] of block.entries()) expect(Math.abs(back[i + j]! - x)).toBeLessThan(most * step)
    }
  }
})
