/**
 * @module Dense matrices in f64, row-major: what merging computes with, so that its sums are better than the f32 tensors
 * that come in and go out.
 */

/** A matrix [rows, columns]. */
export interface Matrix {
  readonly rows: number
  readonly columns: number
  /** Row after row. */
  readonly data: Float64Array
}

/** A matrix of zeros. */
export const zeros = (rows: number, columns: number): Matrix => ({
  rows,
  columns,
  data: new Float64Array(rows * columns),
})

/** A matrix over a copy of `data`. @throws {TypeError} If `data` is not `rows * columns` long. */
export function matrix(rows: number, columns: number, data: ArrayLike<number>): Matrix {
  if (data.length !== rows * columns)
    throw new TypeError(`A matrix [${rows}, ${columns}] wants ${rows * columns} elements but found ${data.length}`)
  return { rows, columns, data: Float64Array.from(data) }
}

/** The transpose, copied. */
export function transpose({ rows, columns, data }: Matrix): Matrix {
  const out = zeros(columns, rows)
  for (let i = 0; i < rows; i++) for (let j = 0; j < columns; j++) out.data[j * rows + i] = data[i * columns + j]!
  return out
}

/** a b. @throws {TypeError} If the inner sizes differ. */
export function multiply(a: Matrix, b: Matrix): Matrix {
  if (a.columns !== b.rows) throw new TypeError(`Can't multiply [${a.rows}, ${a.columns}] by [${b.rows}, ${b.columns}]`)
  const out = zeros(a.rows, b.columns)
  const left = a.data
  const right = b.data
  const sum = out.data
  const n = b.columns
  const inner = a.columns
  const fours = inner - (inner % 4)
  for (let i = 0; i < a.rows; i++) {
    const from = i * inner
    const to = i * n
    // Four of b's rows at a time: an element of the sum is read and written once for them.
    for (let k = 0; k < fours; k += 4) {
      const f0 = left[from + k]!
      const f1 = left[from + k + 1]!
      const f2 = left[from + k + 2]!
      const f3 = left[from + k + 3]!
      const b0 = k * n
      const b1 = b0 + n
      const b2 = b1 + n
      const b3 = b2 + n
      for (let j = 0; j < n; j++)
        sum[to + j] =
          sum[to + j]! + f0 * right[b0 + j]! + f1 * right[b1 + j]! + f2 * right[b2 + j]! + f3 * right[b3 + j]!
    }
    for (let k = fours; k < inner; k++) {
      const factor = left[from + k]!
      const row = k * n
      for (let j = 0; j < n; j++) sum[to + j] = sum[to + j]! + factor * right[row + j]!
    }
  }
  return out
}

/** a^T a, [columns, columns]. */
export function gram(a: Matrix): Matrix {
  const n = a.columns
  const { data } = multiply(transpose(a), a)
  // Exactly symmetric, whatever the order of the sums.
  for (let i = 0; i < n; i++) for (let j = 0; j < i; j++) data[j * n + i] = data[i * n + j]!
  return { rows: n, columns: n, data }
}

/** The same matrix times a number. */
export const scaled = ({ rows, columns, data }: Matrix, factor: number): Matrix => ({
  rows,
  columns,
  data: data.map((x) => x * factor),
})

/** Adds `factor` times `other` to `into`, in place. @throws {TypeError} If the shapes differ. */
export function addScaled(into: Matrix, other: Matrix, factor: number): void {
  if (into.rows !== other.rows || into.columns !== other.columns)
    throw new TypeError(`Can't add [${other.rows}, ${other.columns}] to [${into.rows}, ${into.columns}]`)
  for (let i = 0; i < into.data.length; i++) into.data[i]! += factor * other.data[i]!
}

/** The square root of the sum of squares, without overflow at either end. */
export function frobenius(data: ArrayLike<number>): number {
  let largest = 0
  for (let i = 0; i < data.length; i++) largest = Math.max(largest, Math.abs(data[i]!))
  if (largest === 0) return 0
  let sum = 0
  for (let i = 0; i < data.length; i++) {
    const x = data[i]! / largest
    sum += x * x
  }
  return largest * Math.sqrt(sum)
}

/** The first `count` columns, copied. */
export function firstColumns({ rows, columns, data }: Matrix, count: number): Matrix {
  const out = zeros(rows, count)
  for (let i = 0; i < rows; i++) out.data.set(data.subarray(i * columns, i * columns + count), i * count)
  return out
}

/** Matrices of as many rows, side by side. */
export function beside(parts: readonly Matrix[]): Matrix {
  const { rows } = parts[0]!
  const out = zeros(
    rows,
    parts.reduce((sum, { columns }) => sum + columns, 0),
  )
  let at = 0
  for (const { columns, data } of parts) {
    for (let i = 0; i < rows; i++) out.data.set(data.subarray(i * columns, (i + 1) * columns), i * out.columns + at)
    at += columns
  }
  return out
}

/** Matrices of as many columns, one below the other. */
export function stacked(parts: readonly Matrix[]): Matrix {
  const out = zeros(
    parts.reduce((sum, { rows }) => sum + rows, 0),
    parts[0]!.columns,
  )
  let at = 0
  for (const { data } of parts) {
    out.data.set(data, at)
    at += data.length
  }
  return out
}
