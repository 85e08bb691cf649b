import { describe, expect, test } from "bun:test"
import fc from "fast-check"
import {
  CODE_BLOCK,
  type CodeBits,
  codeZero,
  dequantizeCodes,
  quantizeCodes,
  transposed,
} from "../../../src/core/codes.ts"
import { rng } from "../../../src/core/rng.ts"

const largestOf = (block: Float32Array): number => block.reduce((most, x) => Math.max(most, Math.abs(x)), 0)

for (const bits of [8, 4] as const satisfies readonly CodeBits[]) {
  const there = (data: Float32Array): Float32Array => dequantizeCodes(quantizeCodes(data, bits))
  /** The most that a number is off, in parts of its block's largest. */
  const worstOff = bits === 8 ? 1 / 254 : 1 / 8
  /** What a normal distribution is off by, root mean square. */
  const [least, most] = bits === 8 ? [0.004, 0.006] : [0.07, 0.1]

  describe(`quantizeCodes() to ${bits} bits`, () => {
    test("is off by at most a part of each block's largest number", () => {
      const numbers = fc.float({ noNaN: true, noDefaultInfinity: true, min: -1000, max: 1000 })
      fc.assert(
        fc.property(fc.array(numbers, { minLength: 3 * CODE_BLOCK, maxLength: 3 * CODE_BLOCK }), (values) => {
          const data = Float32Array.from(values)
          const back = there(data)
          for (let from = 0; from < data.length; from += CODE_BLOCK) {
            const bound = largestOf(data.subarray(from, from + CODE_BLOCK)) * worstOff
            for (let i = from; i < from + CODE_BLOCK; i++)
              expect(Math.abs(back[i]! - data[i]!)).toBeLessThanOrEqual(bound * (1 + 1e-5) + 2 ** -118)
          }
        }),
        { seed: 1, numRuns: 200 },
      )
    })

    test("gives each block's largest number back", () => {
      const random = rng(4, "largest")
      const data = Float32Array.from({ length: 64 * CODE_BLOCK }, () => random.normal())
      const back = there(data)
      for (let from = 0; from < data.length; from += CODE_BLOCK) {
        const block = data.subarray(from, from + CODE_BLOCK)
        const at = from + block.findIndex((x) => Math.abs(x) === largestOf(block))
        expect(back[at]).toBeCloseTo(data[at]!, 5)
      }
    })

    test("keeps an outlier's coarse steps in its own block", () => {
      const random = rng(1, "outlier")
      const data = Float32Array.from({ length: 4 * CODE_BLOCK }, () => random.normal() * 0.02)
      data[40] = 50
      const back = there(data)
      const worst = (from: number, to: number) => largestOf(back.subarray(from, to).map((x, i) => x - data[from + i]!))
      expect(worst(0, CODE_BLOCK)).toBeLessThan(0.1 * worstOff)
      expect(worst(2 * CODE_BLOCK, 4 * CODE_BLOCK)).toBeLessThan(0.1 * worstOff)
      expect(back[40]).toBeCloseTo(50, 4)
    })

    test(`gives a normal distribution back within ${most} (root mean square)`, () => {
      const random = rng(2, "normal")
      const data = Float32Array.from({ length: 4096 * CODE_BLOCK }, () => random.normal())
      const back = there(data)
      let squares = 0
      for (let i = 0; i < data.length; i++) squares += (back[i]! - data[i]!) ** 2
      const relative = Math.sqrt(squares / data.length)
      expect(relative).toBeGreaterThan(least)
      expect(relative).toBeLessThan(most)
    })

    test("is exact for what it gave", () => {
      const random = rng(3, "again")
      const once = quantizeCodes(
        Float32Array.from({ length: 8 * CODE_BLOCK }, () => random.normal()),
        bits,
      )
      expect(quantizeCodes(dequantizeCodes(once), bits).codes).toEqual(once.codes)
    })

    test("gives zeros, and numbers too small for a scale, as zeros", () => {
      for (const value of [0, -0, 2 ** -149, 2 ** -126]) {
        const { codes, scales } = quantizeCodes(new Float32Array(CODE_BLOCK).fill(value), bits)
        const zero = codeZero(bits)
        expect([...new Set(codes)]).toEqual([bits === 8 ? zero : zero * 17])
        expect([...scales]).toEqual([0])
      }
    })

    test("takes numbers near the end of f32", () => {
      const largest = 2 ** 127
      const data = new Float32Array(CODE_BLOCK).fill(-largest)
      data[3] = largest
      const back = there(data)
      expect(back.every(Number.isFinite)).toBe(true)
      expect(back[0]! / -largest).toBeCloseTo(1, 6)
      expect(Math.abs(back[3]! / largest - 1)).toBeLessThanOrEqual(worstOff * (1 + 1e-5))
    })

    test("refuses what is no whole number of blocks", () => {
      expect(() => quantizeCodes(new Float32Array(CODE_BLOCK + 1), bits)).toThrow(/multiple of 32 numbers .* found 33/)
    })
  })
}

test("4 bits lie two to a byte, the first one below, around 8, and the largest gets 0", () => {
  const data = new Float32Array(CODE_BLOCK)
  data.set([8, 1, -8, -1])
  const { codes, scales } = quantizeCodes(data, 4)
  expect([...scales]).toEqual([-1])
  // 8 -> 0, 1 -> 7, -8 -> 16, which there is not, so 15, -1 -> 9, 0 -> 8.
  expect([...codes.slice(0, 3)]).toEqual([0 | (7 << 4), 15 | (9 << 4), 8 | (8 << 4)])
  expect([...dequantizeCodes(quantizeCodes(data, 4)).slice(0, 5)]).toEqual([8, 1, -7, -1, -0])
})

test("transposed() turns rows into columns", () => {
  expect([...transposed(Float32Array.of(1, 2, 3, 4, 5, 6), 2, 3)]).toEqual([1, 4, 2, 5, 3, 6])
})
