import { describe, expect, test } from "bun:test"
import fc from "fast-check"
import { splitHeldout } from "../../../src/data/split.ts"

const rows = (count: number): number[] => Array.from({ length: count }, (_, i) => i)

describe("splitHeldout()", () => {
  test("holds out a tenth by default, by seed alone, each side in the order of the file", () => {
    const { train, heldout } = splitHeldout(rows(100), { seed: 1 })
    expect(heldout.length).toBe(10)
    expect(train).toEqual(train.toSorted((a, b) => a - b))
    expect(heldout).toEqual(heldout.toSorted((a, b) => a - b))
    expect(splitHeldout(rows(100), { seed: 1 }).heldout).toEqual(heldout)
    expect(splitHeldout(rows(100), { seed: 2 }).heldout).not.toEqual(heldout)
  })

  test("loses and repeats no row, and with two rows or more neither side is empty", () => {
    const part = fc.double({ min: 0.001, max: 0.999, noNaN: true })
    fc.assert(
      fc.property(fc.integer({ min: 2, max: 60 }), part, fc.integer(), (count, heldout, seed) => {
        const split = splitHeldout(rows(count), { heldout, seed })
        expect([...split.train, ...split.heldout].toSorted((a, b) => a - b)).toEqual(rows(count))
        expect(split.train.length).toBeGreaterThanOrEqual(1)
        expect(split.heldout.length).toBeGreaterThanOrEqual(1)
      }),
      { numRuns: 200 },
    )
  })

  test("holds out nothing of a single row, or where none is wanted", () => {
    expect(splitHeldout(rows(1), { seed: 0 })).toEqual({ train: [0], heldout: [] })
    expect(splitHeldout(rows(9), { heldout: 0, seed: 0 }).heldout).toEqual([])
    expect(splitHeldout([], { seed: 0 })).toEqual({ train: [], heldout: [] })
  })

  test("refuses to hold out everything", () => {
    for (const heldout of [1, -0.1, Number.NaN]) {
      expect(() => splitHeldout(rows(9), { heldout, seed: 0 })).toThrow("from 0 to below 1")
    }
  })
})
