/**
 * @module The nearest vectors by looking at all of them: exact, and fast enough to some 100,000.
 */
import type { Near } from "./rank.ts"

/** Vectors of pieces. */
export interface Matrix {
  readonly pieces: Int32Array
  /** [pieces, dimensions] */
  readonly data: Float32Array
}

/**
 * The nearest pieces, nearest first.
 * @param query f32 [dimensions]
 * @param only those of them that are looked at; all without it
 */
export function nearestRows(
  { pieces, data }: Matrix,
  query: Float32Array,
  limit: number,
  only?: ReadonlySet<number>,
): Near[] {
  const size = query.length
  const best: Near[] = []
  for (let row = 0; row < pieces.length; row++) {
    if (only && !only.has(pieces[row]!)) continue
    let cosine = 0
    for (let i = 0, at = row * size; i < size; i++) cosine += query[i]! * data[at + i]!
    if (best.length === limit && cosine <= best[limit - 1]!.cosine) continue
    const place = best.findIndex((each) => cosine > each.cosine)
    best.splice(place < 0 ? best.length : place, 0, { seq: pieces[row]!, cosine })
    if (best.length > limit) best.pop()
  }
  return best
}
