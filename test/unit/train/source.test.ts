import { describe, expect, test } from "bun:test"
import type { Batch, Example } from "../../../src/data/batch.ts"
import { packedBatch } from "../../../src/data/pack.ts"
import { exampleSource, packedSource, streamSource } from "../../../src/train/source.ts"

const examples: Example[] = Array.from({ length: 11 }, (_, i) => {
  const ids = new Int32Array(2 + (i % 5)).fill(i)
  return { ids, labels: ids, line: i + 1 }
})
/** The first token of each row, which names its example. */
const rowsOf = (batches: readonly Batch[]): number[] =>
  batches.flatMap((batch) => Array.from({ length: batch.rows }, (_, row) => batch.ids[row * batch.length]!))

describe("exampleSource()", () => {
  const options = { batchSize: 2, accumulation: 2, bucket: 4, seed: 3 }

  test("gives each example once an epoch, and another order in the next", async () => {
    const source = exampleSource(examples, options)
    expect(source.stepsPerEpoch).toBe(3)
    const epochs: number[][] = []
    for (const epoch of [0, 1]) {
      const rows: number[] = []
      for (let i = 0; i < 3; i++) rows.push(...rowsOf(await source.batches(epoch * 3 + i)))
      expect(rows.toSorted((a, b) => a - b)).toEqual(Array.from({ length: 11 }, (_, i) => i))
      epochs.push(rows)
    }
    expect(epochs[0]).not.toEqual(epochs[1])
  })

  test("answers by the step's number alone", async () => {
    const one = exampleSource(examples, options)
    const other = exampleSource(examples, options)
    for (let step = 0; step < 6; step++) await one.batches(step)
    for (const step of [5, 2, 4]) expect(await other.batches(step)).toEqual(await one.batches(step))
  })

  test("puts the rest of an epoch into a smaller step", async () => {
    const source = exampleSource(examples.slice(0, 5), options)
    expect(source.stepsPerEpoch).toBe(2)
    expect((await source.batches(1)).length).toBe(1)
  })

  test("refuses no examples and sizes below 1", () => {
    expect(() => exampleSource([], options)).toThrow("at least one example")
    expect(() => exampleSource(examples, { ...options, batchSize: 0 })).toThrow(
      "Expected batchSize to be at least 1 but found 0",
    )
  })
})

describe("packedSource()", () => {
  const tokens = Int32Array.from({ length: 103 }, (_, i) => i)
  const options = { batchSize: 2, length: 10, accumulation: 2, seed: 1 }

  test("gives windows that follow the corpus and do not overlap within an epoch", async () => {
    const source = packedSource(tokens, options)
    expect(source.stepsPerEpoch).toBe(2)
    const starts: number[] = []
    for (const step of [0, 1]) {
      for (const batch of await source.batches(step)) {
        expect(batch.labelled).toBe(18)
        for (let row = 0; row < 2; row++) {
          const ids = Array.from(batch.ids.subarray(row * 10, row * 10 + 10))
          expect(ids).toEqual(Array.from({ length: 10 }, (_, i) => ids[0]! + i))
          starts.push(ids[0]!)
        }
      }
    }
    starts.sort((a, b) => a - b)
    for (let i = 1; i < starts.length; i++) expect(starts[i]! - starts[i - 1]!).toBeGreaterThanOrEqual(10)
  })

  test("answers by the step's number alone, and moves the cuts between epochs", async () => {
    const one = packedSource(tokens, options)
    const other = packedSource(tokens, options)
    const first = await one.batches(0)
    await one.batches(9)
    expect(await one.batches(0)).toEqual(first)
    expect(await other.batches(9)).toEqual(await one.batches(9))
    const offsets = new Set<number>()
    for (let epoch = 0; epoch < 8; epoch++) offsets.add((await one.batches(2 * epoch))[0]!.ids[0]! % 10)
    expect(offsets.size).toBeGreaterThan(1)
  })

  test("refuses a corpus too short for a step", () => {
    expect(() => packedSource(tokens.subarray(0, 49), options)).toThrow(
      "Expected at least 50 tokens for one step but found 49",
    )
  })
})

describe("streamSource()", () => {
  let opened = 0
  function* stream(): Generator<Batch> {
    opened++
    for (let i = 0; i < 6; i++) yield packedBatch(Int32Array.of(i, i), 1, 2)
  }

  test("passes over what was used, asks twice for one step, and starts over to go back", async () => {
    opened = 0
    const source = streamSource(stream, 2)
    expect(source.stepsPerEpoch).toBeNull()
    expect(rowsOf(await source.batches(1))).toEqual([2, 3])
    expect(rowsOf(await source.batches(1))).toEqual([2, 3])
    expect(rowsOf(await source.batches(2))).toEqual([4, 5])
    expect(opened).toBe(1)
    expect(rowsOf(await source.batches(0))).toEqual([0, 1])
    expect(opened).toBe(2)
  })

  test("reads an asynchronous stream", async () => {
    const source = streamSource(async function* () {
      yield* stream()
    })
    expect(rowsOf(await source.batches(4))).toEqual([4])
  })

  test("says at which step the stream ended", async () => {
    await expect(streamSource(stream, 4).batches(1)).rejects.toThrow("The stream ended before step 2")
  })
})
