/**
 * @module Singular values by one-sided Jacobi rotations: A = U S V^T. Simple, and as exact for small singular values as
 * for large ones.
 *
 * Source: Demmel and Veselic 1992, "Jacobi's method is more accurate than QR", https://doi.org/10.1137/0613074; QR before
 * it, as in Drmac and Veselic 2008.
 */
import { type Matrix, multiply, transpose, zeros } from "./matrix.ts"
import { qr } from "./qr.ts"

/** U [rows, k], S [k] falling, V [columns, k]: k the rank, as far as f64 can tell. */
export interface Svd {
  readonly u: Matrix
  readonly s: Float64Array
  readonly v: Matrix
}

/** Columns count as orthogonal below this cosine. */
const ORTHOGONAL = 1e-15
/** Rotations of every pair; ten do for any matrix met so far. */
const MAX_SWEEPS = 60

/**
 * The singular value decomposition without what belongs to singular values of zero, so that U and V are orthonormal
 * whatever the rank. Time grows with rows * columns * min and with min ^ 3: made for cores of a few hundred columns.
 */
export function svd(a: Matrix): Svd {
  if (a.rows < a.columns) {
    const { u, s, v } = svd(transpose(a))
    return { u: v, s, v: u }
  }
  const { q, r } = qr(a)
  // The rotations act on columns of R^T: they converge sooner than on those of R.
  const { u, s, v } = jacobi(transpose(r))
  return { u: multiply(q, v), s, v: u }
}

/** The same of a square matrix. */
function jacobi(a: Matrix): Svd {
  const n = a.columns
  // Columns as rows, so that they lie in one piece.
  const columns = transpose(a).data
  const rotations = new Float64Array(n * n)
  for (let i = 0; i < n; i++) rotations[i * n + i] = 1
  for (let sweep = 0; sweep < MAX_SWEEPS; sweep++) {
    let turned = false
    for (let p = 0; p < n - 1; p++)
      for (let q = p + 1; q < n; q++) {
        let [pp, qq, pq] = [0, 0, 0]
        for (let i = 0; i < n; i++) {
          const x = columns[p * n + i]!
          const y = columns[q * n + i]!
          pp += x * x
          qq += y * y
          pq += x * y
        }
        if (Math.abs(pq) <= ORTHOGONAL * Math.sqrt(pp * qq)) continue
        turned = true
        const zeta = (qq - pp) / (2 * pq)
        const t = (zeta < 0 ? -1 : 1) / (Math.abs(zeta) + Math.sqrt(1 + zeta * zeta))
        const cos = 1 / Math.sqrt(1 + t * t)
        rotate(columns, n, p, q, cos, cos * t)
        rotate(rotations, n, p, q, cos, cos * t)
      }
    if (!turned) break
  }
  return sorted(columns, rotations, n)
}

function rotate(rows: Float64Array, n: number, p: number, q: number, cos: number, sin: number): void {
  for (let i = 0; i < n; i++) {
    const x = rows[p * n + i]!
    const y = rows[q * n + i]!
    rows[p * n + i] = cos * x - sin * y
    rows[q * n + i] = sin * x + cos * y
  }
}

/** Orthogonal columns and the rotations that made them, as factors in falling order, zeros left out. */
function sorted(columns: Float64Array, rotations: Float64Array, n: number): Svd {
  const lengths = Array.from({ length: n }, (_, j) => {
    let squares = 0
    for (let i = 0; i < n; i++) squares += columns[j * n + i]! ** 2
    return Math.sqrt(squares)
  })
  const largest = Math.max(0, ...lengths)
  const order = [...lengths.keys()]
    .filter((j) => lengths[j]! > largest * n * Number.EPSILON)
    .sort((i, j) => lengths[j]! - lengths[i]!)
  const u = zeros(n, order.length)
  const v = zeros(n, order.length)
  for (const [k, j] of order.entries())
    for (let i = 0; i < n; i++) {
      u.data[i * order.length + k] = columns[j * n + i]! / lengths[j]!
      v.data[i * order.length + k] = rotations[j * n + i]!
    }
  return { u, s: Float64Array.from(order, (j) => lengths[j]!), v }
}
