/**
 * @module A matrix as a product of two thin ones, as near as a rank allows, or in the least rank that an error allows.
 *
 * A product of factors costs a QR of each and an SVD of a small core. A dense matrix is searched for its leading
 * directions by subspace iteration (Halko, Martinsson, Tropp 2011, https://arxiv.org/abs/0909.4061, algorithm 4.4) where few
 * are wanted. Where many are, or an error is given, all come from the eigenvectors of M^T M: those of singular values below
 * 1e-8 of the largest are mixed up among each other, which changes no product that keeps all of them, and none that drops
 * them. Small matrices get an exact SVD.
 */
import { rng } from "../core/rng.ts"
import { symmetricEigen } from "./eigen.ts"
import { firstColumns, frobenius, gram, type Matrix, multiply, transpose, zeros } from "./matrix.ts"
import { qr } from "./qr.ts"
import { type Svd, svd } from "./svd.ts"

/** B [rows, rank] times A [rank, columns]. */
export interface Factors {
  readonly b: Matrix
  readonly a: Matrix
}

/** How much may be lost. */
export interface Truncation {
  /** Columns of B at most. @default as many as the matrix has */
  readonly rank?: number
  /** |lost| / |whole| at most, in Frobenius norms; a smaller rank wins. @default {0} */
  readonly error?: number
}

/** Directions beyond the wanted ones that subspace iteration carries along. */
const OVERSAMPLING = 8
/** Passes over the matrix at most, and the gain of what is captured that ends them. */
const MAX_PASSES = 12
const LEAST_GAIN = 1e-6
/** Below this size an exact SVD is quick. */
const SMALL = 96

/** The nearest factors to a product. The rank is at least 1. */
export function truncateFactors({ b, a }: Factors, truncation: Truncation): Factors {
  const left = qr(b)
  const right = qr(transpose(a))
  const core = svd(multiply(left.r, transpose(right.r)))
  return cut({ u: multiply(left.q, core.u), s: core.s, v: multiply(right.q, core.v) }, truncation)
}

/** The nearest factors to a dense matrix. The rank is at least 1. */
export function truncateDense(m: Matrix, truncation: Truncation): Factors {
  const size = Math.min(m.rows, m.columns)
  if (size <= SMALL) return cut(svd(m), truncation)
  const { rank = size, error = 0 } = truncation
  const block = rank + OVERSAMPLING
  // What lies outside the block counts as lost: the error allowed is of the whole.
  if (error === 0 && block * 4 <= size) return cut(leading(m, block), truncation, frobenius(m.data))
  return cut(byGram(m), truncation)
}

/** All singular values of a dense matrix but those that are zero. */
function byGram(m: Matrix): Svd {
  if (m.rows < m.columns) {
    const { u, s, v } = byGram(transpose(m))
    return { u: v, s, v: u }
  }
  const { vectors } = symmetricEigen(gram(m))
  const sides = transpose(multiply(m, vectors)) // u times s, one a row
  const n = m.columns
  const lengths = Float64Array.from({ length: n }, (_, k) =>
    frobenius(sides.data.subarray(k * m.rows, (k + 1) * m.rows)),
  )
  const least = Math.max(...lengths) * n * Number.EPSILON
  const order = [...lengths.keys()].filter((k) => lengths[k]! > least).sort((i, j) => lengths[j]! - lengths[i]!)
  const u = zeros(m.rows, order.length)
  const v = zeros(n, order.length)
  for (const [to, k] of order.entries()) {
    for (let i = 0; i < m.rows; i++) u.data[i * order.length + to] = sides.data[k * m.rows + i]! / lengths[k]!
    for (let i = 0; i < n; i++) v.data[i * order.length + to] = vectors.data[i * n + k]!
  }
  return { u, s: Float64Array.from(order, (k) => lengths[k]!), v }
}

/** The leading singular values of a dense matrix. */
function leading(m: Matrix, block: number): Svd {
  const random = rng(0, "merge:subspace")
  const start = zeros(m.columns, block)
  for (let i = 0; i < start.data.length; i++) start.data[i] = random.normal()
  const mt = transpose(m)
  let q = qr(multiply(m, start)).q // [rows, block]
  let captured = 0
  for (let pass = 0; ; pass++) {
    const projected = multiply(mt, q) // [columns, block]
    const energy = frobenius(projected.data)
    if (pass === MAX_PASSES || energy - captured <= LEAST_GAIN * energy) {
      const { u, s, v } = svd(projected)
      return { u: multiply(q, v), s, v: u }
    }
    captured = energy
    q = qr(multiply(m, qr(projected).q)).q
  }
}

/** The first directions, each factor with the root of the singular values, so that both are of one size. */
function cut({ u, s, v }: Svd, { rank = s.length, error = 0 }: Truncation, whole = frobenius(s)): Factors {
  let keep = Math.min(rank, s.length)
  if (error > 0) {
    let lost = Math.max(0, whole ** 2 - frobenius(s) ** 2)
    for (let k = s.length - 1; k >= keep; k--) lost += s[k]! ** 2
    while (keep > 1 && lost + s[keep - 1]! ** 2 <= (error * whole) ** 2) {
      keep--
      lost += s[keep]! ** 2
    }
  }
  if (keep === 0) return { b: zeros(u.rows, 1), a: zeros(1, v.rows) }
  const [left, right] = [firstColumns(u, keep), firstColumns(v, keep)]
  for (const part of [left, right]) for (let i = 0; i < part.data.length; i++) part.data[i]! *= Math.sqrt(s[i % keep]!)
  return { b: left, a: transpose(right) }
}
