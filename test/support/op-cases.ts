/**
 * @module One row per operator: how to build it and on which inputs. The backend tests check each row's gradient against
 * finite differences under both lowerings; a new operator joins by a row.
 */
import { blockBytes, type CodeBits } from "../../src/core/codes.ts"
import { f32ToF16 } from "../../src/core/half.ts"
import { rng } from "../../src/core/rng.ts"
import { i64, type Tensor } from "../../src/core/tensor.ts"
import type { CodesValue, GraphBuilder } from "../../src/graph/builder.ts"
import type { Shape } from "../../src/graph/dim.ts"
import type { Value } from "../../src/graph/ir.ts"

/** A row of the operator table. */
export interface OpCase {
  readonly name: string
  /** Shapes of the differentiable f32 inputs. */
  readonly shapes: readonly (readonly number[])[]
  /** Their declared shapes where symbolic sizes are to be tried. */
  readonly declared?: readonly Shape[]
  /** Smallest and largest input value. @default [-1, 1] */
  readonly range?: readonly [number, number]
  /** Builds the outputs whose random projection is differentiated. */
  build(g: GraphBuilder, inputs: readonly Value[]): Value | readonly Value[]
}

const indices = (g: GraphBuilder, values: readonly number[], shape = [values.length]): Value =>
  g.constant(i64(shape, values) as Tensor)

/** Rotates the first four features of each head. */
const rotation = (g: GraphBuilder, x: Value, headDim: number): Value => {
  const angles = Float32Array.from({ length: 5 * 2 }, (_, i) => 0.3 + 0.7 * i)
  const table = (f: (x: number) => number) => g.constant({ dtype: "f32", shape: [5, 2], data: angles.map(f) })
  const tables = { cos: table(Math.cos), sin: table(Math.sin), negativeSin: table((x) => -Math.sin(x)) }
  return g.rope(x, tables, indices(g, [0, 1, 2, 2, 3, 4], [2, 3]), headDim)
}

/** A matrix of so many blocks as codes, of numbers up to 0.13. */
const codesMatrix = (g: GraphBuilder, blocks: number, bits: CodeBits): CodesValue => {
  const random = rng(blocks, "op-case:codes")
  const codes = Uint8Array.from({ length: blocks * blockBytes(bits) }, () => 1 + random.below(255))
  const scales = Float32Array.from({ length: blocks }, () => (0.0005 + 0.0005 * random.next()) * (bits === 4 ? 16 : 1))
  return {
    bits,
    codes: g.constant({ dtype: "u8", shape: [blocks, blockBytes(bits)], data: codes }),
    scales: g.constant({ dtype: "f32", shape: [blocks], data: scales }),
  }
}

/** A matrix held as f16, of numbers up to 0.2 that f16 has. */
const f16Matrix = (g: GraphBuilder, shape: readonly [number, number]): Value => {
  const random = rng(shape[0], "op-case:f16")
  const numbers = Float32Array.from({ length: shape[0] * shape[1] }, () => 0.4 * random.next() - 0.2)
  return g.constant({ dtype: "f16", shape, data: f32ToF16(numbers) })
}

export const opCases: readonly OpCase[] = [
  {
    name: "add",
    shapes: [
      [2, 3],
      [2, 3],
    ],
    build: (g, [a, b]) => g.add(a!, b!),
  },
  { name: "add, broadcast", shapes: [[2, 3], [3]], build: (g, [a, b]) => g.add(a!, b!) },
  {
    name: "sub, broadcast",
    shapes: [
      [2, 1, 3],
      [4, 1],
    ],
    build: (g, [a, b]) => g.sub(a!, b!),
  },
  {
    name: "mul",
    shapes: [
      [2, 3],
      [2, 3],
    ],
    build: (g, [a, b]) => g.mul(a!, b!),
  },
  {
    name: "mul, broadcast",
    shapes: [
      [2, 3],
      [2, 1],
    ],
    build: (g, [a, b]) => g.mul(a!, b!),
  },
  { name: "mul, by itself", shapes: [[5]], build: (g, [a]) => g.mul(a!, a!) },
  { name: "div", shapes: [[2, 3], [3]], range: [0.5, 2], build: (g, [a, b]) => g.div(a!, b!) },
  { name: "neg", shapes: [[4]], build: (g, [a]) => g.neg(a!) },
  { name: "exp", shapes: [[4]], build: (g, [a]) => g.exp(a!) },
  { name: "log", shapes: [[4]], range: [0.5, 2], build: (g, [a]) => g.log(a!) },
  { name: "sqrt", shapes: [[4]], range: [0.5, 2], build: (g, [a]) => g.sqrt(a!) },
  { name: "tanh", shapes: [[4]], build: (g, [a]) => g.tanh(a!) },
  { name: "sigmoid", shapes: [[4]], build: (g, [a]) => g.sigmoid(a!) },
  {
    name: "relu",
    shapes: [[6]],
    range: [0.2, 1],
    build: (g, [a]) =>
      g.relu(g.sub(a!, g.constant({ dtype: "f32", shape: [6], data: Float32Array.of(0, 2, 0, 2, 0, 2) }))),
  },
  { name: "silu", shapes: [[7]], range: [-4, 4], build: (g, [a]) => g.silu(a!) },
  { name: "erf", shapes: [[7]], range: [-2, 2], build: (g, [a]) => g.erf(a!) },
  { name: "gelu", shapes: [[7]], range: [-3, 3], build: (g, [a]) => g.gelu(a!) },
  { name: "geluTanh", shapes: [[7]], range: [-3, 3], build: (g, [a]) => g.geluTanh(a!) },
  ...[false, true].flatMap((transA) =>
    [false, true].map(
      (transB): OpCase => ({
        name: `gemm${transA ? ", A transposed" : ""}${transB ? ", B transposed" : ""}`,
        shapes: [transA ? [4, 2] : [2, 4], transB ? [3, 4] : [4, 3]],
        build: (g, [a, b]) => g.gemm(a!, b!, { transA, transB, alpha: 0.7 }),
      }),
    ),
  ),
  { name: "gemm, with a bias", shapes: [[2, 4], [4, 3], [3]], build: (g, [a, b, c]) => g.gemm(a!, b!, { c: c! }) },
  ...[false, true].flatMap((transA) =>
    [false, true].map(
      (transB): OpCase => ({
        name: `matmul${transA ? ", A transposed" : ""}${transB ? ", B transposed" : ""}`,
        shapes: [transA ? [2, 3, 4, 2] : [2, 3, 2, 4], transB ? [2, 3, 3, 4] : [2, 3, 4, 3]],
        build: (g, [a, b]) => g.matmul(a!, b!, { transA, transB, alpha: 1.3 }),
      }),
    ),
  ),
  ...([8, 4] as const).flatMap((bits): OpCase[] => [
    {
      name: `codesProduct of ${bits} bits`,
      shapes: [[3, 64]],
      build: (g, [x]) => g.codesProduct(x!, codesMatrix(g, 10, bits)),
    },
    {
      name: `codesProduct of ${bits} bits, symbolic rows`,
      shapes: [[3, 64]],
      declared: [["N", 64]],
      build: (g, [x]) => g.codesProduct(x!, codesMatrix(g, 10, bits)),
    },
    {
      name: `codesProduct of ${bits} bits, transposed`,
      shapes: [[3, 5]],
      build: (g, [x]) => g.codesProduct(x!, codesMatrix(g, 10, bits), { transposed: true }),
    },
    {
      name: `gemm by a dequantized matrix of ${bits} bits`,
      shapes: [[3, 64]],
      build: (g, [x]) => g.gemm(x!, g.dequantize(codesMatrix(g, 10, bits), [5, 64], x!), { transB: true }),
    },
  ]),
  {
    name: "f16Product",
    shapes: [[3, 7]],
    declared: [["N", 7]],
    build: (g, [x]) => g.f16Product(x!, f16Matrix(g, [5, 7]), { transB: true }),
  },
  {
    name: "f16Product of a weight that is [in, out]",
    shapes: [[3, 7]],
    build: (g, [x]) => g.f16Product(x!, f16Matrix(g, [7, 5]), { transB: false }),
  },
  {
    name: "gemm by f16Value",
    shapes: [[3, 7]],
    build: (g, [x]) => g.gemm(x!, g.f16Value(f16Matrix(g, [5, 7]), x!), { transB: true }),
  },
  {
    name: "matmul, one matrix for a batch",
    shapes: [
      [2, 3, 4],
      [4, 2],
    ],
    build: (g, [a, b]) => g.matmul(a!, b!),
  },
  {
    name: "keep, of an operand that others read too",
    shapes: [
      [2, 3],
      [2, 3],
    ],
    build(g, [a, b]) {
      const mask = (bits: readonly number[]): Value =>
        g.constant({ dtype: "bool", shape: [2, 3], data: Uint8Array.from(bits) })
      return g.add(
        g.exp(g.mul(g.keep(a!, mask([1, 0, 1, 1, 0, 0])), b!)),
        g.keep(g.mul(a!, 2), mask([0, 0, 1, 1, 1, 1])),
      )
    },
  },
  { name: "reshape", shapes: [[2, 6]], build: (g, [a]) => g.mul(g.reshape(a!, [3, 4]), g.reshape(a!, [3, 4])) },
  {
    name: "reshape, symbolic sizes",
    shapes: [[2, 3, 4]],
    declared: [["B", "T", 4]],
    build: (g, [a]) => g.exp(g.reshape(g.transpose(g.reshape(a!, ["B", "T", 2, 2]), [0, 2, 1, 3]), ["B", "2*T", 2])),
  },
  { name: "transpose", shapes: [[2, 3, 4]], build: (g, [a]) => g.exp(g.transpose(a!, [2, 0, 1])) },
  {
    name: "concat",
    shapes: [
      [2, 1, 3],
      [2, 2, 3],
    ],
    build: (g, [a, b]) => g.exp(g.concat([a!, b!], 1)),
  },
  {
    name: "concat, symbolic sizes",
    shapes: [
      [2, 1, 3],
      [2, 4, 3],
    ],
    declared: [
      ["B", 1, 3],
      ["B", "T", 3],
    ],
    build: (g, [a, b]) => g.reduceSum(g.exp(g.concat([a!, b!], 1, "S")), [1]),
  },
  {
    name: "split",
    shapes: [[2, 5]],
    build: (g, [a]) => {
      const [x, y] = g.split(a!, 1, [2, 3])
      return [g.exp(x!), g.tanh(y!)]
    },
  },
  { name: "split, one part unused", shapes: [[2, 5]], build: (g, [a]) => g.exp(g.split(a!, 1, [2, 3])[1]!) },
  {
    name: "halve",
    shapes: [[2, 5]],
    build: (g, [a]) => {
      const [first, rest] = g.halve(a!, 1)
      return [g.exp(first), g.tanh(rest)]
    },
  },
  {
    name: "halve, a symbolic size, one half unused",
    shapes: [[3, 2, 2]],
    declared: [["T", 2, 2]],
    build: (g, [a]) => g.exp(g.halve(a!, 0)[1]),
  },
  { name: "gather, with repeats", shapes: [[4, 3]], build: (g, [a]) => g.exp(g.gather(a!, indices(g, [1, 3, 1, 0]))) },
  {
    name: "gather, a matrix of rows",
    shapes: [[4, 3]],
    build: (g, [a]) => g.exp(g.gather(a!, indices(g, [1, 3, 1, 0], [2, 2]))),
  },
  {
    name: "scatterAdd, with repeats",
    shapes: [
      [4, 3],
      [3, 3],
    ],
    build: (g, [a, b]) => g.exp(g.scatterAdd(a!, indices(g, [2, 0, 2]), b!)),
  },
  { name: "expand", shapes: [[1, 3]], build: (g, [a]) => g.exp(g.expand(a!, [2, 4, 3])) },
  { name: "reduceSum", shapes: [[2, 3, 4]], build: (g, [a]) => g.exp(g.reduceSum(a!, [1])) },
  { name: "reduceSum, axes kept", shapes: [[2, 3, 4]], build: (g, [a]) => g.exp(g.reduceSum(a!, [0, 2], true)) },
  { name: "softmax", shapes: [[3, 5]], range: [-2, 2], build: (g, [a]) => g.softmax(a!) },
  {
    name: "causalMask under softmax",
    shapes: [[2, 4, 4]],
    declared: [["B", "T", "T"]],
    build: (g, [a]) => g.softmax(g.add(a!, g.causalMask("T"))),
  },
  {
    name: "causalMask of a window, after a prefix",
    shapes: [[2, 4, 6]],
    declared: [["B", "T", "Seen"]],
    build: (g, [a]) => g.softmax(g.add(a!, g.causalMask("T", { before: 2, window: 3 }))),
  },
  {
    name: "rowAttention, two heads for a key",
    shapes: [
      [2, 3, 8],
      [2, 3, 4],
      [2, 3, 4],
    ],
    declared: [
      ["B", "T", 8],
      ["B", "T", 4],
      ["B", "T", 4],
    ],
    range: [-2, 2],
    build: (g, [q, k, v]) => g.rowAttention(q!, k!, v!, g.causalMask("T"), { heads: 4, kvHeads: 2, scale: 0.8 }),
  },
  {
    name: "rowAttention, more keys than queries",
    shapes: [
      [1, 2, 4],
      [1, 3, 4],
      [1, 3, 4],
    ],
    range: [-2, 2],
    build: (g, [q, k, v]) => {
      const mask = g.constant({ dtype: "f32", shape: [2, 3], data: Float32Array.of(0, 0, -1e9, 0, 0, 0) })
      return g.rowAttention(q!, k!, v!, mask, { heads: 2, kvHeads: 2, scale: 0.5 })
    },
  },
  { name: "rmsNorm", shapes: [[3, 8], [8]], build: (g, [x, w]) => g.rmsNorm(x!, w!, 1e-5) },
  { name: "layerNorm", shapes: [[3, 8], [8], [8]], build: (g, [x, w, b]) => g.layerNorm(x!, w!, b!, 1e-5) },
  { name: "rope", shapes: [[2, 3, 8]], build: (g, [x]) => rotation(g, x!, 4) },
  { name: "rope of a head's first features", shapes: [[2, 3, 12]], build: (g, [x]) => rotation(g, x!, 6) },
  { name: "softCap", shapes: [[2, 3]], range: [-3, 3], build: (g, [x]) => g.softCap(x!, 1.5) },
  {
    name: "linearCrossEntropy",
    shapes: [
      [4, 6],
      [7, 6],
    ],
    build: (g, [rows, head]) => {
      const labels = indices(g, [1, 6, 0, 6])
      const weights = g.constant({ dtype: "f32", shape: [4], data: Float32Array.of(0.5, 0.25, 1, 0) })
      return g.linearCrossEntropy({ rows: rows!, head: head!, labels, weights }).loss
    },
  },
  {
    name: "linearCrossEntropy, towards the rows alone",
    shapes: [[3, 4]],
    build: (g, [rows]) => {
      const head = g.constant({
        dtype: "f32",
        shape: [5, 4],
        data: Float32Array.from({ length: 20 }, (_, i) => Math.sin(i)),
      })
      const weights = g.constant({ dtype: "f32", shape: [3], data: Float32Array.of(0.5, 0, 1) })
      return g.linearCrossEntropy({ rows: rows!, head, labels: indices(g, [4, 0, 2]), weights }).loss
    },
  },
  {
    name: "linearCrossEntropy under a cap",
    shapes: [
      [4, 6],
      [7, 6],
    ],
    build: (g, [rows, head]) => {
      const labels = indices(g, [1, 6, 0, 6])
      const weights = g.constant({ dtype: "f32", shape: [4], data: Float32Array.of(0.5, 0.25, 1, 0) })
      return g.linearCrossEntropy({ rows: rows!, head: head!, labels, weights, cap: 1.2 }).loss
    },
  },
  {
    name: "linearDivergence under a cap",
    shapes: [
      [4, 6],
      [7, 6],
    ],
    build: (g, [rows, head]) => {
      const constant = (size: number, shape: readonly number[]) =>
        g.constant({ dtype: "f32", shape, data: Float32Array.from({ length: size }, (_, i) => Math.sin(i)) })
      const weights = g.constant({ dtype: "f32", shape: [4], data: Float32Array.of(0.5, 0.25, 1, 0) })
      const from = { rows: constant(24, [4, 6]), head: constant(42, [7, 6]) }
      return g.linearDivergence({ rows: rows!, head: head!, from, weights, cap: 1.2 })
    },
  },
  {
    name: "linearDivergence, in chunks",
    shapes: [
      [4, 6],
      [7, 6],
    ],
    build: (g, [rows, head]) => {
      const constant = (size: number, shape: readonly number[]) =>
        g.constant({ dtype: "f32", shape, data: Float32Array.from({ length: size }, (_, i) => Math.sin(i)) })
      const weights = g.constant({ dtype: "f32", shape: [4], data: Float32Array.of(0.5, 0.25, 1, 0) })
      const from = { rows: constant(24, [4, 6]), head: constant(42, [7, 6]) }
      return g.linearDivergence({ rows: rows!, head: head!, from, weights }, 2)
    },
  },
  {
    name: "linearCrossEntropy, in chunks",
    shapes: [
      [4, 6],
      [7, 6],
    ],
    build: (g, [rows, head]) => {
      const labels = indices(g, [1, 6, 0, 6])
      const weights = g.constant({ dtype: "f32", shape: [4], data: Float32Array.of(0.5, 0.25, 1, 0.1) })
      return g.linearCrossEntropy({ rows: rows!, head: head!, labels, weights }, 2).loss
    },
  },
]
