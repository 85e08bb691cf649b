/**
 * @module The arithmetic of small encoders, so that each is written once: over graph values in training, and over plain
 * numbers when its output is saved in its place.
 */
import { f32, type Tensor } from "../src/core/tensor.ts"
import type { GraphBuilder } from "../src/graph/builder.ts"
import type { Value } from "../src/graph/ir.ts"

/** Operations on matrices [rows, columns]. */
export interface Maths<T extends object> {
  /** x W^T + b with x [n, in], W [out, in], b [out]. */
  linear(x: T, weight: T, bias: T): T
  add(a: T, b: T): T
  mul(a: T, b: T): T
  relu(x: T): T
  tanh(x: T): T
  sigmoid(x: T): T
  /** Each row of [n, columns] as [1, columns]. */
  rows(x: T): T[]
  /** Rows one under the other. */
  stack(rows: readonly T[]): T
  /** Matrices of as many rows side by side. */
  beside(left: T, right: T): T
  /** Columns cut into `count` equal parts. */
  parts(x: T, count: number): T[]
}

/** Over the values of a graph. */
export const graphMaths = (g: GraphBuilder): Maths<Value> => ({
  linear: (x, weight, bias) => g.gemm(x, weight, { transB: true, c: bias }),
  add: (a, b) => g.add(a, b),
  mul: (a, b) => g.mul(a, b),
  relu: g.relu,
  tanh: g.tanh,
  sigmoid: g.sigmoid,
  rows: (x) => g.split(x, 0, new Array<number>(x.shape[0] as number).fill(1)),
  stack: (rows) => g.concat(rows, 0),
  beside: (left, right) => g.concat([left, right], 1),
  parts: (x, count) => g.split(x, 1, new Array<number>(count).fill((x.shape[1] as number) / count)),
})

type Matrix = Tensor<"f32">
const matrix = (rows: number, columns: number, at: (row: number, column: number) => number): Matrix =>
  f32(
    [rows, columns],
    Float32Array.from({ length: rows * columns }, (_, i) => at(Math.floor(i / columns), i % columns)),
  )
const each = (x: Matrix, f: (value: number, index: number) => number): Matrix => f32(x.shape, x.data.map(f))

/** Over tensors; sums in f64. */
export const tensorMaths: Maths<Matrix> = {
  linear(x, weight, bias) {
    const [n, inner] = x.shape as [number, number]
    return matrix(n, weight.shape[0]!, (row, column) => {
      let sum = bias.data[column]!
      for (let k = 0; k < inner; k++) sum += x.data[row * inner + k]! * weight.data[column * inner + k]!
      return sum
    })
  },
  add: (a, b) => each(a, (value, i) => value + b.data[i]!),
  mul: (a, b) => each(a, (value, i) => value * b.data[i]!),
  relu: (x) => each(x, (value) => Math.max(0, value)),
  tanh: (x) => each(x, Math.tanh),
  sigmoid: (x) => each(x, (value) => 1 / (1 + Math.exp(-value))),
  rows(x) {
    const [n, columns] = x.shape as [number, number]
    return Array.from({ length: n }, (_, row) => f32([1, columns], x.data.slice(row * columns, (row + 1) * columns)))
  },
  stack: (rows) => matrix(rows.length, rows[0]!.shape[1]!, (row, column) => rows[row]!.data[column]!),
  beside(left, right) {
    const [n, width] = left.shape as [number, number]
    const other = right.shape[1]!
    return matrix(n, width + other, (row, column) =>
      column < width ? left.data[row * width + column]! : right.data[row * other + column - width]!,
    )
  },
  parts(x, count) {
    const [n, columns] = x.shape as [number, number]
    const width = columns / count
    return Array.from({ length: count }, (_, part) =>
      matrix(n, width, (row, column) => x.data[row * columns + part * width + column]!),
    )
  },
}
