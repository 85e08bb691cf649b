/**
 * @module QR by Householder reflections, thin: A = Q R with Q's columns orthonormal and R upper triangular.
 *
 * Source: Golub and Van Loan, Matrix Computations, 4th edition, algorithm 5.2.1.
 */
import { type Matrix, zeros } from "./matrix.ts"

/** Q [rows, k] and R [k, columns], k the smaller size. */
export interface Qr {
  readonly q: Matrix
  readonly r: Matrix
}

/** Factors a matrix of any shape and rank. */
export function qr(a: Matrix): Qr {
  const { rows, columns } = a
  const size = Math.min(rows, columns)
  const work = a.data.slice()
  /** The reflections' vectors, one a row. */
  const vectors: Float64Array[] = []
  const along = new Float64Array(Math.max(columns, size))
  for (let k = 0; k < size; k++) {
    const v = new Float64Array(rows)
    let squares = 0
    for (let i = k; i < rows; i++) {
      v[i] = work[i * columns + k]!
      squares += v[i]! * v[i]!
    }
    // Away from zero, so that nothing cancels.
    v[k]! += v[k]! < 0 ? -Math.sqrt(squares) : Math.sqrt(squares)
    normalise(v, k)
    vectors.push(v)
    reflect(work, rows, columns, v, k, k, along)
  }
  const r = zeros(size, columns)
  for (let i = 0; i < size; i++) for (let j = i; j < columns; j++) r.data[i * columns + j] = work[i * columns + j]!
  const q = zeros(rows, size)
  for (let i = 0; i < size; i++) q.data[i * size + i] = 1
  for (let k = size - 1; k >= 0; k--) reflect(q.data, rows, size, vectors[k]!, k, k, along)
  return { q, r }
}

function normalise(v: Float64Array, from: number): void {
  let squares = 0
  for (let i = from; i < v.length; i++) squares += v[i]! * v[i]!
  if (squares === 0) return
  const factor = 1 / Math.sqrt(squares)
  for (let i = from; i < v.length; i++) v[i]! *= factor
}

/** data := (1 - 2 v v^T) data, on rows and columns from the given ones on; row by row, as the data lies. */
function reflect(
  data: Float64Array,
  rows: number,
  columns: number,
  v: Float64Array,
  fromRow: number,
  fromColumn: number,
  along: Float64Array,
): void {
  along.fill(0)
  for (let i = fromRow; i < rows; i++) {
    const factor = v[i]!
    if (factor === 0) continue
    for (let j = fromColumn; j < columns; j++) along[j]! += factor * data[i * columns + j]!
  }
  for (let i = fromRow; i < rows; i++) {
    const factor = 2 * v[i]!
    if (factor === 0) continue
    for (let j = fromColumn; j < columns; j++) data[i * columns + j]! -= factor * along[j]!
  }
}
