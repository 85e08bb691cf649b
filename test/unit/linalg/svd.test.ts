import { describe, expect, test } from "bun:test"
import { rng } from "../../../src/core/rng.ts"
import { addScaled, frobenius, type Matrix, matrix, multiply, transpose, zeros } from "../../../src/linalg/matrix.ts"
import { qr } from "../../../src/linalg/qr.ts"
import { svd } from "../../../src/linalg/svd.ts"
import { type Factors, truncateDense, truncateFactors } from "../../../src/linalg/truncate.ts"

const random = (rows: number, columns: number, seed = 1): Matrix => {
  const draw = rng(seed, `${rows}x${columns}`)
  return matrix(
    rows,
    columns,
    Array.from({ length: rows * columns }, () => draw.normal()),
  )
}

/** |a - b| / |b|, or |a| where b is zero. */
const distance = (a: Matrix, b: Matrix): number => {
  const difference = { ...a, data: a.data.slice() }
  addScaled(difference, b, -1)
  return frobenius(difference.data) / (frobenius(b.data) || 1)
}
const identity = (n: number): Matrix =>
  matrix(
    n,
    n,
    Array.from({ length: n * n }, (_, i) => (i % (n + 1) === 0 ? 1 : 0)),
  )
const product = ({ b, a }: Factors): Matrix => multiply(b, a)
const spread = ({ u, s, v }: ReturnType<typeof svd>): Matrix => {
  const us = { ...u, data: u.data.map((x, i) => x * s[i % s.length]!) }
  return multiply(us, transpose(v))
}

const rankTwo = multiply(random(7, 2), random(2, 5))
const hilbert = matrix(
  6,
  6,
  Array.from({ length: 36 }, (_, i) => 1 / (Math.floor(i / 6) + (i % 6) + 1)),
)
const rows: readonly (readonly [string, Matrix])[] = [
  ["a tall matrix", random(9, 4)],
  ["a wide matrix", random(3, 8)],
  ["a square matrix", random(6, 6)],
  ["a matrix of lower rank", rankTwo],
  ["a matrix of sizes far apart", matrix(2, 2, [1e150, 0, 0, 1e-150])],
  ["Hilbert's matrix", hilbert],
  ["one column", random(5, 1)],
  ["equal columns", matrix(3, 2, [1, 1, 2, 2, 3, 3])],
]

describe("qr() of", () => {
  for (const [name, a] of rows)
    test(name, () => {
      const { q, r } = qr(a)
      expect(distance(multiply(q, r), a)).toBeLessThan(1e-14)
      expect(distance(multiply(transpose(q), q), identity(q.columns))).toBeLessThan(1e-14)
      for (let i = 1; i < r.rows; i++) for (let j = 0; j < i; j++) expect(r.data[i * r.columns + j]).toBe(0)
    })
})

describe("svd() of", () => {
  for (const [name, a] of rows)
    test(`${name} gives it back, with orthonormal sides and falling values`, () => {
      const found = svd(a)
      expect(distance(spread(found), a)).toBeLessThan(1e-13)
      for (const side of [found.u, found.v])
        expect(distance(multiply(transpose(side), side), identity(found.s.length))).toBeLessThan(1e-13)
      expect([...found.s]).toEqual([...found.s].sort((x, y) => y - x))
    })
  test("a matrix of rank two has two singular values, zeros have none", () => {
    expect(svd(rankTwo).s).toHaveLength(2)
    expect(svd(zeros(4, 3)).s).toHaveLength(0)
  })
  test("a matrix worked by hand: [[3, 0], [4, 5]] has 3 sqrt(5) and sqrt(5)", () => {
    const [first, second] = svd(matrix(2, 2, [3, 0, 4, 5])).s
    expect(first).toBeCloseTo(3 * Math.sqrt(5), 12)
    expect(second).toBeCloseTo(Math.sqrt(5), 12)
  })
})

describe("truncateFactors()", () => {
  const factors = { b: random(20, 6), a: random(6, 11) }
  const whole = product(factors)
  const { s } = svd(whole)
  test("keeps everything at full rank", () => {
    expect(distance(product(truncateFactors(factors, {})), whole)).toBeLessThan(1e-13)
    expect(truncateFactors(factors, { rank: 50 }).b.columns).toBe(6)
  })
  test("loses the singular values beyond a rank and nothing else (Eckart and Young)", () => {
    for (const rank of [1, 3, 5]) {
      const cut = truncateFactors(factors, { rank })
      expect([cut.b.columns, cut.a.rows]).toEqual([rank, rank])
      expect(distance(product(cut), whole)).toBeCloseTo(frobenius(s.subarray(rank)) / frobenius(s), 12)
    }
  })
  test("takes the least rank that an error allows", () => {
    const lostAt = (rank: number) => frobenius(s.subarray(rank)) / frobenius(s)
    expect(truncateFactors(factors, { error: lostAt(3) * 1.001 }).b.columns).toBe(3)
    expect(truncateFactors(factors, { error: lostAt(3) * 0.999 }).b.columns).toBe(4)
  })
  test("factors wider than the matrix are no trouble", () => {
    const wide = { b: random(4, 9), a: random(9, 5) }
    expect(distance(product(truncateFactors(wide, {})), product(wide))).toBeLessThan(1e-13)
  })
  test("nothing has rank 1 of zeros", () => {
    const nothing = truncateFactors({ b: zeros(3, 2), a: zeros(2, 4) }, { rank: 2 })
    expect([nothing.b.columns, frobenius(product(nothing).data)]).toEqual([1, 0])
  })
})

describe("truncateDense()", () => {
  // Falling singular values, as deltas have, with noise under them.
  const large = multiply(
    { ...random(160, 30), data: random(160, 30).data.map((x, i) => x * 0.7 ** (i % 30)) },
    random(30, 120),
  )
  addScaled(large, random(160, 120, 2), 1e-3)
  const { s } = svd(large)
  test("comes as near as an exact SVD", () => {
    for (const rank of [2, 8, 20]) {
      const best = frobenius(s.subarray(rank)) / frobenius(s)
      expect(distance(product(truncateDense(large, { rank })), large) / best - 1).toBeLessThan(1e-4)
    }
  })
  test("finds the rank for an error, however many directions it takes", () => {
    for (const rank of [3, 17]) {
      const error = (frobenius(s.subarray(rank)) / frobenius(s)) * 1.01
      const cut = truncateDense(large, { error })
      expect(cut.b.columns).toBe(rank)
      expect(distance(product(cut), large)).toBeLessThanOrEqual(error)
    }
  })
  test("keeps everything at full rank", () => {
    expect(distance(product(truncateDense(large, {})), large)).toBeLessThan(1e-12)
  })
  test("a wide matrix is as good as a tall one, whether few directions are wanted or many", () => {
    for (const rank of [4, 60]) {
      const best = frobenius(s.subarray(rank)) / frobenius(s)
      expect(distance(product(truncateDense(transpose(large), { rank })), transpose(large)) / best - 1).toBeLessThan(
        1e-4,
      )
    }
  })
  test("a matrix of low rank comes back in that rank, although its other directions are nothing but rounding", () => {
    const thin = multiply(random(150, 5), random(5, 130))
    expect(truncateDense(thin, { error: 1e-7 }).b.columns).toBe(5)
    for (const truncation of [{ error: 1e-7 }, { rank: 5 }, { rank: 100 }])
      expect(distance(product(truncateDense(thin, truncation)), thin)).toBeLessThan(1e-12)
  })
})
