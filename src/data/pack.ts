/**
 * @module Packing for pre-training: documents run on into one another and are cut into rows of equal length, so that
 * nothing is padding and every token is a label.
 */
import type { Batch } from "./batch.ts"

/** A batch whose every token is a label, over `ids` [rows, length] (not copied). */
export function packedBatch(ids: Int32Array, rows: number, length: number): Batch {
  return { rows, length, ids, labels: ids, tokens: rows * length, labelled: rows * (length - 1) }
}

/**
 * Packs documents as they come. The caller ends each document with its end token; what does not fill a last batch is
 * left out.
 * @param documents token ids of each document
 * @throws {RangeError} If `rows` is below 1 or `length` below 2.
 */
export function* packStream(
  documents: Iterable<ArrayLike<number>>,
  rows: number,
  length: number,
): Generator<Batch, void> {
  if (rows < 1 || length < 2) throw new RangeError(`Expected at least 1 row of 2 tokens but found ${rows} of ${length}`)
  let ids = new Int32Array(rows * length)
  let filled = 0
  for (const document of documents) {
    for (let at = 0; at < document.length; at++) {
      ids[filled++] = document[at]!
      if (filled < ids.length) continue
      yield packedBatch(ids, rows, length)
      ids = new Int32Array(rows * length)
      filled = 0
    }
  }
}
