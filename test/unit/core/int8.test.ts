import { describe, expect, test } from "bun:test"
import fc from "fast-check"
import { dequantizeInt8, INT8_BLOCK, INT8_ZERO, quantizeInt8, transposed } from "../../../src/core/int8.ts"
import { rng } from "../../../src/core/rng.ts"

const largestOf = (block: Float32Array): number => block.reduce((most, x) => Math.max(most, Math.abs(x)), 0)

describe("quantizeInt8()", () => {
  test("is off by at most half a step of 1/127 of each block's largest number", () => {
    const numbers = fc.float({ noNaN: true, noDefaultInfinity: true, min: -1000, max: 1000 })
    fc.assert(
      fc.property(fc.array(numbers, { minLength: 3 * INT8_BLOCK, maxLength: 3 * INT8_BLOCK }), (values) => {
        const data = Float32Array.from(values)
        const back = dequantizeInt8(quantizeInt8(data))
        for (let from = 0; from < data.length; from += INT8_BLOCK) {
          const half = largestOf(data.subarray(from, from + INT8_BLOCK)) / 254
          for (let i = from; i < from + INT8_BLOCK; i++)
            expect(Math.abs(back[i]! - data[i]!)).toBeLessThanOrEqual(half * (1 + 1e-5) + 2 ** -118)
        }
      }),
      { seed: 1, numRuns: 200 },
    )
  })

  test("keeps an outlier's coarse steps in its own block", () => {
    const random = rng(1, "outlier")
    const data = Float32Array.from({ length: 4 * INT8_BLOCK }, () => random.normal() * 0.02)
    data[40] = 50
    const back = dequantizeInt8(quantizeInt8(data))
    const worst = (from: number, to: number) => largestOf(back.subarray(from, to).map((x, i) => x - data[from + i]!))
    expect(worst(0, INT8_BLOCK)).toBeLessThan(0.001)
    expect(worst(2 * INT8_BLOCK, 4 * INT8_BLOCK)).toBeLessThan(0.001)
    expect(back[40]).toBeCloseTo(50, 4)
  })

  test("gives a normal distribution back within 0.6 % (root mean square)", () => {
    const random = rng(2, "normal")
    const data = Float32Array.from({ length: 4096 * INT8_BLOCK }, () => random.normal())
    const back = dequantizeInt8(quantizeInt8(data))
    let squares = 0
    for (let i = 0; i < data.length; i++) squares += (back[i]! - data[i]!) ** 2
    const relative = Math.sqrt(squares / data.length)
    expect(relative).toBeGreaterThan(0.004)
    expect(relative).toBeLessThan(0.006)
  })

  test("is exact for what it gave", () => {
    const random = rng(3, "again")
    const once = quantizeInt8(Float32Array.from({ length: 8 * INT8_BLOCK }, () => random.normal()))
    expect(quantizeInt8(dequantizeInt8(once)).codes).toEqual(once.codes)
  })

  test("gives zeros, and numbers too small for a scale, as zeros", () => {
    for (const value of [0, -0, 2 ** -149, 2 ** -126]) {
      const { codes, scales } = quantizeInt8(new Float32Array(INT8_BLOCK).fill(value))
      expect([...new Set(codes)]).toEqual([INT8_ZERO])
      expect([...scales]).toEqual([0])
    }
  })

  test("takes numbers near the end of f32", () => {
    const largest = 2 ** 127
    const data = new Float32Array(INT8_BLOCK).fill(-largest)
    data[3] = largest
    const { codes } = quantizeInt8(data)
    expect(codes[3]).toBe(255)
    expect(codes[4]).toBe(1)
    expect(dequantizeInt8(quantizeInt8(data)).every(Number.isFinite)).toBe(true)
  })

  test("refuses what is no whole number of blocks", () => {
    expect(() => quantizeInt8(new Float32Array(INT8_BLOCK + 1))).toThrow(/multiple of 32 numbers .* found 33/)
  })
})

test("transposed() turns rows into columns", () => {
  expect([...transposed(Float32Array.of(1, 2, 3, 4, 5, 6), 2, 3)]).toEqual([1, 4, 2, 5, 3, 6])
})
