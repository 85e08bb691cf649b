import { describe, expect, test } from "bun:test"
import { rng } from "../../../src/core/rng.ts"
import { symmetricEigen } from "../../../src/linalg/eigen.ts"
import {
  addScaled,
  frobenius,
  gram,
  type Matrix,
  matrix,
  multiply,
  transpose,
  zeros,
} from "../../../src/linalg/matrix.ts"

const random = (rows: number, columns: number): Matrix => {
  const draw = rng(1, `${rows}x${columns}`)
  return matrix(
    rows,
    columns,
    Float64Array.from({ length: rows * columns }, () => draw.normal()),
  )
}
const diagonal = (values: readonly number[]): Matrix => {
  const out = zeros(values.length, values.length)
  for (const [i, value] of values.entries()) out.data[i * values.length + i] = value
  return out
}
const hilbert = matrix(
  8,
  8,
  Array.from({ length: 64 }, (_, i) => 1 / (Math.floor(i / 8) + (i % 8) + 1)),
)
const apart = random(9, 9)
addScaled(apart, transpose(random(9, 9)), 1)

const cases: readonly (readonly [string, Matrix])[] = [
  ["one element", matrix(1, 1, [-3])],
  ["two by two", matrix(2, 2, [2, 1, 1, 2])],
  ["zeros", zeros(5, 5)],
  ["a diagonal one", diagonal([1, -4, 0, 4, 4])],
  ["equal eigenvalues", gram(diagonal([2, 2, 2, 1]))],
  ["positive and negative ones", apart],
  ["Hilbert's", hilbert],
  ["one of a low rank", gram(random(3, 20))],
  ["a large one", gram(random(150, 120))],
]

describe("symmetricEigen() of", () => {
  for (const [name, a] of cases)
    test(`${name} gives it back, with orthonormal vectors and falling values`, () => {
      const { values, vectors } = symmetricEigen(a)
      const n = a.rows
      const spread = { ...vectors, data: vectors.data.map((x, i) => x * values[i % n]!) }
      const back = multiply(spread, transpose(vectors))
      addScaled(back, a, -1)
      expect(frobenius(back.data)).toBeLessThanOrEqual(1e-13 * frobenius(a.data))
      const product = multiply(transpose(vectors), vectors)
      addScaled(product, diagonal(new Array<number>(n).fill(1)), -1)
      expect(frobenius(product.data)).toBeLessThan(1e-13 * n)
      expect([...values]).toEqual([...values].sort((x, y) => y - x))
    })
  test("a matrix worked by hand: [[2, 1], [1, 2]] has 3 and 1", () => {
    expect([...symmetricEigen(matrix(2, 2, [2, 1, 1, 2])).values].map((x) => Number(x.toFixed(12)))).toEqual([3, 1])
  })
  test("what is not finite is refused", () => {
    expect(() => symmetricEigen(matrix(3, 3, [1, 2, 3, 2, Number.NaN, 1, 3, 1, 1]))).toThrow(RangeError)
  })
})
