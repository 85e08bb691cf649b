import { describe, expect, test } from "bun:test"
import type { Example } from "../../../src/data/batch.ts"
import { type Mixture, mixtureShares, mixtureSource, rowsOfShares } from "../../../src/train/mixture.ts"

const mixture = (name: Mixture["name"], temperature = 1): Mixture => ({ name, temperature })

/** Rows of which each holds its own number, from `from` on. */
const rows = (from: number, count: number): Example[] =>
  Array.from({ length: count }, (_, i) => {
    const ids = Int32Array.of(from + i, 1)
    return { ids, labels: ids, line: i + 1 }
  })

describe("mixtureShares()", () => {
  test("of proportional tasks are those of the data", () => {
    expect(mixtureShares([30, 10], mixture("proportional"))).toEqual([0.75, 0.25])
  })

  test("of equal tasks are equal, whatever their sizes", () => {
    expect(mixtureShares([30, 10, 1], mixture("equal"))).toEqual([1 / 3, 1 / 3, 1 / 3])
  })

  test("by temperature go as n^(1/T)", () => {
    const [a, b] = mixtureShares([400, 100], mixture("temperature", 2)) as [number, number]
    expect(a / b).toBeCloseTo(2, 12)
    expect(a + b).toBeCloseTo(1, 12)
    expect(mixtureShares([300, 100], mixture("temperature", 1))).toEqual([0.75, 0.25])
  })

  test("refuses a temperature of 0", () => {
    expect(() => mixtureShares([1, 1], mixture("temperature", 0))).toThrow("mix-temperature")
  })
})

test("rowsOfShares() gives out every row, by largest remainder, and at least one to each", () => {
  expect(rowsOfShares(10, [0.75, 0.25])).toEqual([8, 2])
  expect(rowsOfShares(10, [1 / 3, 1 / 3, 1 / 3])).toEqual([4, 3, 3])
  expect(rowsOfShares(4, [0.999, 0.001])).toEqual([4, 1])
})

describe("mixtureSource()", () => {
  const options = { batchSize: 4, seed: 3 }
  const idsOf = async (source: ReturnType<typeof mixtureSource>, from: number, to: number): Promise<number[]> => {
    const ids: number[] = []
    for (let step = from; step < to; step++)
      for (const batch of await source.batches(step))
        for (let row = 0; row < batch.rows; row++) ids.push(batch.ids[row * batch.length]!)
    return ids
  }
  const pools = () => [
    { examples: rows(0, 12), perEpoch: 8 },
    { examples: rows(100, 3), perEpoch: 7 },
  ]

  test("draws as many rows of each pool an epoch as it is to", async () => {
    const source = mixtureSource(pools(), options)
    expect(source.stepsPerEpoch).toBe(4)
    const ids = await idsOf(source, 0, 4)
    expect(ids.filter((id) => id < 100)).toHaveLength(8)
    expect(ids.filter((id) => id >= 100)).toHaveLength(7)
  })

  test("has each pool's part in every batch", async () => {
    const source = mixtureSource(pools(), options)
    for (let step = 0; step < 9; step++)
      for (const batch of await source.batches(step)) {
        const ids = Array.from({ length: batch.rows }, (_, row) => batch.ids[row * batch.length]!)
        // 8 of 15 rows, in batches of 4 or of the 3 that are left.
        expect(Math.abs(ids.filter((id) => id < 100).length - (batch.rows * 8) / 15)).toBeLessThan(1)
      }
  })

  test("passes over a pool again and again, and over a larger one in as many epochs as it takes", async () => {
    const ids = await idsOf(mixtureSource(pools(), options), 0, 12)
    const counts = new Map<number, number>()
    for (const id of ids) counts.set(id, (counts.get(id) ?? 0) + 1)
    // Three epochs take 24 of 12 rows and 21 of 3.
    expect([...counts].sort(([a], [b]) => a - b).map(([, count]) => count)).toEqual([
      ...new Array(12).fill(2),
      ...new Array(3).fill(7),
    ])
  })

  test("answers by the step alone, as a resumed run asks", async () => {
    const whole = await idsOf(mixtureSource(pools(), options), 0, 12)
    const resumed = await idsOf(mixtureSource(pools(), options), 6, 12)
    expect(resumed).toEqual(whole.slice(whole.length - resumed.length))
  })

  test("has another order for another seed", async () => {
    const [one, two] = [3, 4].map((seed) => mixtureSource(pools(), { batchSize: 4, seed }))
    expect(await idsOf(one!, 0, 4)).not.toEqual(await idsOf(two!, 0, 4))
  })

  test("refuses an empty pool", () => {
    expect(() => mixtureSource([{ examples: [], perEpoch: 1 }], options)).toThrow(RangeError)
  })
})
