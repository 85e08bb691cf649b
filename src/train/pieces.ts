/**
 * @module A batch cut into pieces of whole rows that a processor's caches can hold between one operator and the next.
 * Losses and gradients are sums over rows, so those of the pieces add up to the batch's.
 */
import { type Batch, countLabelled } from "../data/batch.ts"

/** The widest activation of a piece takes at most this many bytes. */
const PIECE_BYTES = 2 * 2 ** 20
/** No piece is made smaller than this: where the weights don't fit a cache, each piece reads them all from memory. */
const LEAST_POSITIONS = 512

/**
 * Positions of a piece where rows are short enough: there is no piece below one row. Measured on 2 cores with 1 MB of
 * second-level cache each: the embedded base's shape, 16 x 256 tokens, 680 ms in one piece, 584 in four, 572 in eight;
 * SmolLM2-135M's, 4 x 128 tokens, 1,902 ms in one, 1,954 in two.
 * @param width features of the widest activation
 */
export const positionsOfPiece = (width: number): number =>
  Math.max(LEAST_POSITIONS, Math.floor(PIECE_BYTES / (4 * width)))

/** Rows of a batch that follow each other. */
export interface Piece extends Batch {
  /** Its first row's number in the batch. */
  readonly firstRow: number
}

/** Pieces of at most so many positions, without those in which nothing is labelled; all of the batch where it is one. */
export function cutBatch(batch: Batch, positions: number): Piece[] {
  const { length, ids, labels, replayed } = batch
  const rows = Math.max(1, Math.floor(positions / length))
  if (batch.rows <= rows) return batch.labelled > 0 ? [{ ...batch, firstRow: 0 }] : []
  const count = Math.ceil(batch.rows / rows)
  const pieces: Piece[] = []
  for (let i = 0; i < count; i++) {
    // Of equal size, give or take a row: a small rest would be computed at a small piece's pace.
    const [from, to] = [i, i + 1].map((each) => Math.round((each * batch.rows) / count)) as [number, number]
    const own = labels.subarray(from * length, to * length)
    let labelled = 0
    for (let row = 0; row < to - from; row++) labelled += countLabelled(own.subarray(row * length, (row + 1) * length))
    if (labelled === 0) continue
    const cut = ids.subarray(from * length, to * length)
    const tokens = (to - from) * length
    const marks = replayed && { replayed: replayed.subarray(from, to) }
    pieces.push({ rows: to - from, length, ids: cut, labels: own, tokens, labelled, firstRow: from, ...marks })
  }
  return pieces
}
