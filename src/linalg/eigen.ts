/**
 * @module Eigenvalues and eigenvectors of a symmetric matrix: Householder reflections to a tridiagonal one, whose QL
 * iterations with implicit shifts turn the reflections' product into the eigenvectors. Some 6 n^3 operations in all, where
 * Jacobi rotations take ten times as many.
 *
 * Source: Golub and Van Loan, Matrix Computations, 4th edition, algorithms 8.3.1 and 8.3.3; the shifts of Bowdler, Martin,
 * Reinsch and Wilkinson 1968, https://doi.org/10.1007/BF02165405 (EISPACK's `tql2`).
 */
import { frobenius, type Matrix, zeros } from "./matrix.ts"

/** A = V diag(values) V^T: values falling, V's columns orthonormal. */
export interface Eigen {
  readonly values: Float64Array // [n]
  readonly vectors: Matrix // [n, n]
}

/** QL iterations for one eigenvalue; a handful does. */
const MAX_ITERATIONS = 60

/**
 * Decomposes a symmetric matrix [n, n]. What stands above the diagonal is taken to be what stands below it.
 * @throws {RangeError} If an element is not finite, or an eigenvalue does not settle.
 */
export function symmetricEigen(a: Matrix): Eigen {
  const n = a.rows
  if (!Number.isFinite(frobenius(a.data)))
    throw new RangeError(`A matrix [${n}, ${n}] has elements that are not finite`)
  const { diagonal, below, basis } = tridiagonal(a)
  settle(diagonal, below, basis, n)
  const order = [...diagonal.keys()].sort((i, j) => diagonal[j]! - diagonal[i]!)
  const vectors = zeros(n, n)
  for (const [k, j] of order.entries()) for (let i = 0; i < n; i++) vectors.data[i * n + k] = basis[j * n + i]!
  return { values: Float64Array.from(order, (j) => diagonal[j]!), vectors }
}

/**
 * A = Q T Q^T with T tridiagonal.
 * @returns T's diagonal [n], what stands below it [n] with a zero at the end, and Q^T [n, n], a basis vector a row
 */
function tridiagonal(a: Matrix): { diagonal: Float64Array; below: Float64Array; basis: Float64Array } {
  const n = a.rows
  const work = a.data.slice()
  const below = new Float64Array(n)
  /** The reflections' unit vectors, one a row, zero up to and with their column. */
  const vectors = new Float64Array(n * n)
  const p = new Float64Array(n)
  for (let k = 0; k + 2 < n; k++) {
    const v = vectors.subarray(k * n, (k + 1) * n)
    let squares = 0
    for (let i = k + 1; i < n; i++) {
      v[i] = work[i * n + k]!
      squares += v[i]! * v[i]!
    }
    const length = Math.sqrt(squares)
    // Away from zero, so that nothing cancels.
    const head = v[k + 1]! < 0 ? -length : length
    below[k] = -head
    v[k + 1]! += head
    const norm = Math.sqrt(2 * (squares + length * Math.abs(work[(k + 1) * n + k]!)))
    if (norm === 0) continue
    for (let i = k + 1; i < n; i++) v[i]! /= norm
    // H A H = A - v w^T - w v^T with w = 2 (A v - (v^T A v) v), where H = 1 - 2 v v^T.
    let inner = 0
    for (let i = k + 1; i < n; i++) {
      let sum = 0
      for (let j = k + 1; j < n; j++) sum += work[i * n + j]! * v[j]!
      p[i] = sum
      inner += sum * v[i]!
    }
    for (let i = k + 1; i < n; i++) p[i] = 2 * (p[i]! - inner * v[i]!)
    for (let i = k + 1; i < n; i++) {
      const [vi, pi] = [v[i]!, p[i]!]
      for (let j = k + 1; j < n; j++) work[i * n + j]! -= vi * p[j]! + pi * v[j]!
    }
  }
  if (n > 1) below[n - 2] = work[(n - 1) * n + n - 2]!
  const diagonal = Float64Array.from({ length: n }, (_, i) => work[i * n + i]!)
  return { diagonal, below, basis: productOf(vectors, n) }
}

/** (H_0 H_1 ...)^T of reflections 1 - 2 v v^T, by unit vectors that stand one a row. */
function productOf(vectors: Float64Array, n: number): Float64Array {
  const q = new Float64Array(n * n)
  for (let i = 0; i < n; i++) q[i * n + i] = 1
  // Q^T = ... H_1 H_0 from the left, last reflection first: each touches only what lies beyond its column.
  for (let k = n - 3; k >= 0; k--) {
    const v = vectors.subarray(k * n, (k + 1) * n)
    for (let i = k + 1; i < n; i++) {
      const row = q.subarray(i * n, (i + 1) * n)
      let sum = 0
      for (let j = k + 1; j < n; j++) sum += row[j]! * v[j]!
      if (sum === 0) continue
      sum *= 2
      for (let j = k + 1; j < n; j++) row[j]! -= sum * v[j]!
    }
  }
  return q
}

/** Turns a tridiagonal matrix diagonal, in place, and the basis's rows along with it. */
function settle(d: Float64Array, e: Float64Array, basis: Float64Array, n: number): void {
  // Against the whole matrix: beside eigenvalues of zero there is nothing else to be small against.
  let whole = 0
  for (let i = 0; i < n; i++) whole = Math.max(whole, Math.abs(d[i]!) + Math.abs(e[i]!))
  const negligible = Number.EPSILON * whole
  for (let l = 0; l < n; l++) {
    for (let iteration = 0; ; iteration++) {
      // The first place at or after l where the matrix falls apart.
      let m = l
      while (m < n - 1 && Math.abs(e[m]!) > negligible) m++
      if (m === l) break
      if (iteration === MAX_ITERATIONS) throw new RangeError(`Eigenvalue ${l} of a matrix [${n}, ${n}] does not settle`)
      // The eigenvalue of the leading 2 x 2 that is nearer to d[l].
      let g = (d[l + 1]! - d[l]!) / (2 * e[l]!)
      let r = Math.hypot(g, 1)
      g = d[m]! - d[l]! + e[l]! / (g + (g < 0 ? -r : r))
      let [sin, cos, shift] = [1, 1, 0]
      let i = m - 1
      for (; i >= l; i--) {
        const f = sin * e[i]!
        const b = cos * e[i]!
        r = Math.hypot(f, g)
        e[i + 1] = r
        if (r === 0) {
          // It fell apart on the way: begin again above.
          d[i + 1]! -= shift
          e[m] = 0
          break
        }
        sin = f / r
        cos = g / r
        g = d[i + 1]! - shift
        r = (d[i]! - g) * sin + 2 * cos * b
        shift = sin * r
        d[i + 1] = g + shift
        g = cos * r - b
        const [upper, lower] = [i * n, (i + 1) * n]
        for (let k = 0; k < n; k++) {
          const x = basis[upper + k]!
          const y = basis[lower + k]!
          basis[lower + k] = sin * x + cos * y
          basis[upper + k] = cos * x - sin * y
        }
      }
      if (i >= l) continue
      d[l]! -= shift
      e[l] = g
      e[m] = 0
    }
  }
}
