/**
 * @module Seeded random numbers.
 */
import { describe, expect, test } from "bun:test"
import { rng } from "../../../src/core/rng.ts"

const maskOf = (length: number, zeros: number, purpose = "mask"): Uint8Array => {
  const mask = new Uint8Array(length).fill(9)
  rng(1, purpose).mask(mask, zeros)
  return mask
}

describe("mask()", () => {
  test("is a function of the stream, two elements to a word, the lower half first", () => {
    const stream = rng(1, "mask")
    const words = Array.from({ length: 50 }, () => stream.next() * 2 ** 32)
    const wanted = words.flatMap((word) => [word & 0xffff, word >>> 16].map((half) => (half < 20_000 ? 0 : 1)))
    expect([...maskOf(100, 20_000)]).toEqual(wanted)
    expect([...maskOf(99, 20_000)]).toEqual(wanted.slice(0, 99))
  })

  test("writes into its own elements only, and leaves the stream where its words end", () => {
    const around = new Uint8Array(9).fill(7)
    const stream = rng(1, "mask")
    stream.mask(around.subarray(1, 8), 65536)
    expect([...around]).toEqual([7, 0, 0, 0, 0, 0, 0, 0, 7])
    const other = rng(1, "mask")
    for (let i = 0; i < 4; i++) other.next()
    expect(stream.state()).toEqual(other.state())
    expect(stream.next()).toBe(other.next())
  })

  test("keeps everything at 0 and nothing at 65536", () => {
    expect(maskOf(1000, 0).every((bit) => bit === 1)).toBe(true)
    expect(maskOf(1000, 65536).every((bit) => bit === 0)).toBe(true)
  })

  test.each([655, 6554, 32768, 58982])("has zeros with the probability %p / 65536, neighbours apart", (zeros) => {
    const n = 400_000
    const mask = maskOf(n, zeros)
    const p = zeros / 65536
    const deviation = Math.sqrt((p * (1 - p)) / n)
    expect(Math.abs(mask.filter((bit) => bit === 0).length / n - p)).toBeLessThan(4 * deviation)
    // Of pairs at some distances: both are dropped with the probability p^2.
    for (const apart of [1, 2, 3, 64, 192, 256]) {
      let both = 0
      for (let i = apart; i < n; i++) if (mask[i] === 0 && mask[i - apart] === 0) both++
      expect(Math.abs(both / (n - apart) - p * p)).toBeLessThan(5 * Math.sqrt((2 * p * p) / n))
    }
  })

  test("differs from stream to stream", () => {
    const [one, two] = [maskOf(10_000, 32768, "a"), maskOf(10_000, 32768, "b")]
    const same = one.filter((bit, i) => bit === two[i]).length
    expect(Math.abs(same / 10_000 - 0.5)).toBeLessThan(0.02)
  })
})
