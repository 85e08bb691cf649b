import { describe, expect, test } from "bun:test"
import { type Batch, countLabelled, IGNORE } from "../../../src/data/batch.ts"
import { cutBatch, positionsOfPiece } from "../../../src/train/pieces.ts"

/** Rows of 4 tokens that count up; of the rows listed, nothing is labelled. */
function batch(rows: number, masked: readonly number[] = []): Batch {
  const ids = Int32Array.from({ length: rows * 4 }, (_, i) => i)
  const labels = ids.map((id, i) => (masked.includes(Math.floor(i / 4)) ? IGNORE : id))
  return { rows, length: 4, ids, labels, tokens: rows * 4, labelled: 3 * (rows - masked.length) }
}

describe("cutBatch()", () => {
  test("gives pieces of whole rows whose sizes differ by one at most, in order", () => {
    const pieces = cutBatch(batch(7), 13)
    expect(pieces.map(({ rows }) => rows)).toEqual([2, 3, 2])
    expect(pieces.flatMap(({ ids }) => [...ids])).toEqual([...batch(7).ids])
    expect(pieces.flatMap(({ labels }) => [...labels])).toEqual([...batch(7).labels])
  })

  test("counts what is labelled piece by piece, and leaves out pieces without any", () => {
    const pieces = cutBatch(batch(6, [1, 2, 3]), 8)
    expect(pieces.map(({ labelled }) => labelled)).toEqual([3, 6])
    expect(pieces.map(({ firstRow }) => firstRow)).toEqual([0, 4])
    for (const { rows, length, labels, labelled } of pieces) {
      let count = 0
      for (let row = 0; row < rows; row++) count += countLabelled(labels.subarray(row * length, (row + 1) * length))
      expect(labelled).toBe(count)
    }
    expect(cutBatch(batch(2, [0, 1]), 100)).toEqual([])
  })

  test("gives the batch itself where it is small enough, and never less than a row", () => {
    const small = batch(3)
    expect(cutBatch(small, 12)).toEqual([{ ...small, firstRow: 0 }])
    expect(cutBatch(small, Number.POSITIVE_INFINITY)).toEqual([{ ...small, firstRow: 0 }])
    expect(cutBatch(small, 1).map(({ rows }) => rows)).toEqual([1, 1, 1])
  })
})

test("positionsOfPiece() keeps an activation of f32 within two megabytes, but goes no lower than 512 positions", () => {
  expect(positionsOfPiece(512)).toBe(1024)
  expect(positionsOfPiece(1536)).toBe(512)
})
