/**
 * @module What an adapter adds to one weight: a matrix, kept as two factors as long as that is possible, since sums and
 * norms of factors cost a fraction of those of the matrix.
 */
import {
  addScaled,
  beside,
  frobenius,
  type Matrix,
  multiply,
  scaled,
  stacked,
  transpose,
  zeros,
} from "../linalg/matrix.ts"
import { qr } from "../linalg/qr.ts"
import type { Factors } from "../linalg/truncate.ts"

/** A change of a weight [out, in]. */
export type Delta = (Factors & { readonly kind: "factors" }) | { readonly kind: "dense"; readonly matrix: Matrix }

/** Factors as a delta. */
export const factored = ({ b, a }: Factors): Delta => ({ kind: "factors", b, a })

/** A delta as a matrix [out, in]. */
export const denseOf = (delta: Delta): Matrix => (delta.kind === "dense" ? delta.matrix : multiply(delta.b, delta.a))

/** A delta and its factor in a sum. */
export interface Term {
  readonly delta: Delta
  readonly weight: number
}

/** The sum of weight times delta: of factors where all are factors. @param terms at least one, all of one size */
export function sumOf(terms: readonly Term[]): Delta {
  const factors = terms.flatMap(({ delta, weight }) => (delta.kind === "factors" ? [{ ...delta, weight }] : []))
  if (factors.length === terms.length)
    return factored({
      b: beside(factors.map(({ b, weight }) => scaled(b, weight))),
      a: stacked(factors.map(({ a }) => a)),
    })
  const first = denseOf(terms[0]!.delta)
  const sum = zeros(first.rows, first.columns)
  for (const [i, { delta, weight }] of terms.entries()) addScaled(sum, i === 0 ? first : denseOf(delta), weight)
  return { kind: "dense", matrix: sum }
}

/** A delta's Frobenius norm. */
export function normOf(delta: Delta): number {
  if (delta.kind === "dense") return frobenius(delta.matrix.data)
  // Orthonormal factors keep the norm: |B A| = |R_B R_A^T|. Nothing cancels, as it would in tr(B^T B A A^T).
  return frobenius(multiply(qr(delta.b).r, transpose(qr(transpose(delta.a)).r)).data)
}

/** |x - y|. */
export const distanceOf = (x: Delta, y: Delta): number =>
  normOf(
    sumOf([
      { delta: x, weight: 1 },
      { delta: y, weight: -1 },
    ]),
  )

/** The sum of elementwise products. */
export function innerProduct(x: Delta, y: Delta): number {
  let sum = 0
  if (x.kind === "factors" && y.kind === "factors") {
    const left = multiply(transpose(x.b), y.b)
    const right = multiply(x.a, transpose(y.a))
    for (let i = 0; i < left.data.length; i++) sum += left.data[i]! * right.data[i]!
    return sum
  }
  const [p, q] = [denseOf(x).data, denseOf(y).data]
  for (let i = 0; i < p.length; i++) sum += p[i]! * q[i]!
  return sum
}
