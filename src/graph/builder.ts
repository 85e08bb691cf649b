/**
 * @module The fluent builder that methods and architectures write in: each call adds a node (or finds the same one again)
 * and returns its value. A builder runs nothing.
 */
import type { CodeBits } from "../core/codes.ts"
import { type DType, f32, type Tensor } from "../core/tensor.ts"
import { type Dim, product, type Shape, sameDim, sameShape } from "./dim.ts"
import type { GraphModel, GraphOutput, Node, Origin, Spec, Value, WeightRange } from "./ir.ts"
import type { Op } from "./op.ts"
import { type CachedAttentionAttrs, cachedAttention, causalMask, type MaskAttrs } from "./ops/attention.ts"
import { codesProduct, codesProductRounded, codesRows, dequantize } from "./ops/codes.ts"
import { detach } from "./ops/detach.ts"
import { linearDivergence } from "./ops/divergence.ts"
import {
  add,
  div,
  erf,
  exp,
  geluTanh,
  log,
  mul,
  neg,
  relu,
  sigmoid,
  silu,
  sqrt,
  step,
  sub,
  tanh,
} from "./ops/elementwise.ts"
import { type F16ProductAttrs, f16Product, f16Rows, f16Value } from "./ops/f16.ts"
import { keep } from "./ops/keep.ts"
import { linearCrossEntropy } from "./ops/loss.ts"
import { gemm, matmul, type ProductAttrs } from "./ops/matmul.ts"
import {
  concat,
  expand,
  gather,
  halve,
  type RowsAttrs,
  reshape,
  scatterAdd,
  split,
  transpose,
  zeros,
} from "./ops/movement.ts"
import { addRmsNorm, layerNorm, rmsNorm } from "./ops/norm.ts"
import { placeRows } from "./ops/place-rows.ts"
import { reduceSum, softmax } from "./ops/reduce.ts"
import { rope } from "./ops/rope.ts"
import { type RowAttentionAttrs, rowAttention } from "./ops/row-attention.ts"

/** Rotation tables, [positions, D/2] each. */
export interface RopeTables {
  readonly cos: Value
  readonly sin: Value
  readonly negativeSin: Value
}

/** A matrix held as codes, with a scale for each block: see {@link codesProduct}. */
export interface CodesValue {
  readonly bits: CodeBits
  readonly codes: Value
  readonly scales: Value
}

/** Hidden states whose logits are wanted: see {@link GraphBuilder.linearCrossEntropy}. */
export interface LinearHead {
  /** [n, C] */
  readonly rows: Value
  /** [V, C] */
  readonly head: Value
  /** Factor of each row's loss, [n]. */
  readonly weights: Value
  /** Logits z become c tanh(z / c) with this c. @default {null} */
  readonly cap?: number | null
}

/** An operand: a value, or a number that becomes a scalar constant. */
export type Operand = Value | number

/** Builds one graph. */
export class GraphBuilder {
  readonly #inputs: Value[] = []
  readonly #outputs: GraphOutput[] = []
  /** Nodes by operator, attributes and inputs: building the same thing twice gives the same value. */
  readonly #known = new Map<string, readonly Value[]>()
  readonly #scalars = new Map<number, Value>()
  readonly #weights = new Map<string, Value>()
  #count = 0

  /** A graph input. @throws {TypeError} If the name is taken. */
  input(name: string, dtype: DType, shape: Shape): Value {
    if (this.#inputs.some((value) => value.origin.kind === "input" && value.origin.name === name)) {
      throw new TypeError(`The graph has an input "${name}" already`)
    }
    const value = this.#value({ dtype, shape }, { kind: "input", name })
    this.#inputs.push(value)
    return value
  }

  /** A frozen weight inside the weights blob. */
  weight(name: string, shape: readonly number[], range: WeightRange, dtype: DType = "f32"): Value {
    const known = this.#weights.get(name)
    if (known) return known
    const value = this.#value({ dtype, shape }, { kind: "weight", name, range })
    this.#weights.set(name, value)
    return value
  }

  /** A constant that is stored inside the graph. */
  constant(tensor: Tensor): Value {
    return this.#value({ dtype: tensor.dtype, shape: tensor.shape }, { kind: "constant", tensor })
  }

  /** Names a value as a graph output. @param options whether it is computed before outputs that are not: `GraphOutput` */
  output(name: string, value: Value, options: Pick<GraphOutput, "early"> = {}): void {
    this.#outputs.push({ name, value, ...options })
  }

  /** The graph so far. */
  finish(name: string): GraphModel {
    return { name, inputs: [...this.#inputs], outputs: [...this.#outputs] }
  }

  /** Applies any operator. */
  apply<Attrs>(op: Op<Attrs>, inputs: readonly Value[], attrs: Attrs): readonly Value[] {
    const key = `${op.name}|${JSON.stringify(attrs)}|${inputs.map((value) => value.id).join(",")}`
    const known = this.#known.get(key)
    if (known) return known
    const outputs: Value[] = []
    const node: Node = { op: op as Op<unknown>, attrs, inputs, outputs }
    op.infer(inputs, attrs).forEach((spec, index) => {
      outputs.push(this.#value(spec, { kind: "node", node, index }))
    })
    this.#known.set(key, outputs)
    return outputs
  }

  add(a: Operand, b: Operand): Value {
    return this.apply(add, [this.#operand(a), this.#operand(b)], {})[0]!
  }
  sub(a: Operand, b: Operand): Value {
    return this.apply(sub, [this.#operand(a), this.#operand(b)], {})[0]!
  }
  mul(a: Operand, b: Operand): Value {
    if (b === 1) return this.#operand(a)
    return this.apply(mul, [this.#operand(a), this.#operand(b)], {})[0]!
  }
  div(a: Operand, b: Operand): Value {
    return this.apply(div, [this.#operand(a), this.#operand(b)], {})[0]!
  }
  neg = (x: Value): Value => this.apply(neg, [x], {})[0]!
  exp = (x: Value): Value => this.apply(exp, [x], {})[0]!
  log = (x: Value): Value => this.apply(log, [x], {})[0]!
  sqrt = (x: Value): Value => this.apply(sqrt, [x], {})[0]!
  tanh = (x: Value): Value => this.apply(tanh, [x], {})[0]!
  sigmoid = (x: Value): Value => this.apply(sigmoid, [x], {})[0]!
  relu = (x: Value): Value => this.apply(relu, [x], {})[0]!
  step = (x: Value): Value => this.apply(step, [x], {})[0]!
  silu = (x: Value): Value => this.apply(silu, [x], {})[0]!
  erf = (x: Value): Value => this.apply(erf, [x], {})[0]!
  /** x/2 (1 + erf(x / sqrt 2)), https://arxiv.org/abs/1606.08415; {@link geluTanh} is its approximation. */
  gelu = (x: Value): Value => this.mul(this.mul(x, 0.5), this.add(this.erf(this.mul(x, Math.SQRT1_2)), 1))
  geluTanh = (x: Value): Value => this.apply(geluTanh, [x], {})[0]!
  /** cap tanh(x / cap), or x where there is no cap. */
  softCap = (x: Value, cap: number | null): Value => (cap === null ? x : this.mul(this.tanh(this.div(x, cap)), cap))
  softmax = (x: Value): Value => this.apply(softmax, [x], {})[0]!

  /** alpha op(a) op(b) + c on matrices: see {@link gemm}. */
  gemm(a: Value, b: Value, attrs: Partial<ProductAttrs> & { readonly c?: Value } = {}): Value {
    const { transA = false, transB = false, alpha = 1, c } = attrs
    return this.apply(gemm, c ? [a, b, c] : [a, b], { transA, transB, alpha })[0]!
  }
  /** alpha op(a) op(b) on batches of matrices: see {@link matmul}. */
  matmul(a: Value, b: Value, { transA = false, transB = false, alpha = 1 }: Partial<ProductAttrs> = {}): Value {
    return this.apply(matmul, [a, b], { transA, transB, alpha })[0]!
  }

  /**
   * A matrix held as codes, as f32 of `shape`: see {@link dequantize}.
   * @param after made shortly before the matrix is wanted: until then it takes no memory
   */
  dequantize({ codes, scales, bits }: CodesValue, shape: Shape, after: Value): Value {
    return this.apply(dequantize, [codes, scales, after], { shape, bits })[0]!
  }
  /** Rows of a table held as codes: see {@link codesRows}. */
  codesRows({ codes, scales, bits }: CodesValue, indices: Value, columns: number): Value {
    return this.apply(codesRows, [codes, scales, indices], { columns, bits })[0]!
  }
  /** x W^T, or x W, with W held as codes: see {@link codesProduct}. */
  codesProduct(x: Value, { codes, scales, bits }: CodesValue, { transposed } = { transposed: false }): Value {
    return this.apply(codesProduct, [x, codes, scales], { transposed, bits })[0]!
  }
  /** x W^T with both in 8 bits, for decoding: see {@link codesProductRounded}. */
  codesProductRounded(x: Value, { codes, scales, bits }: CodesValue): Value {
    return this.apply(codesProductRounded, [x, codes, scales], { bits })[0]!
  }

  /**
   * A weight held as f16, as f32: see {@link f16Value}.
   * @param after made shortly before the weight is wanted: until then its f32 numbers take no memory
   */
  f16Value = (weight: Value, after: Value): Value => this.apply(f16Value, [weight, after], {})[0]!
  /** Rows of a table held as f16: see {@link f16Rows}. */
  f16Rows = (table: Value, indices: Value): Value => this.apply(f16Rows, [table, indices], {})[0]!
  /** x W^T, or x W, with W held as f16: see {@link f16Product}. */
  f16Product = (x: Value, weight: Value, attrs: F16ProductAttrs): Value =>
    this.apply(f16Product, [x, weight], attrs)[0]!

  reduceSum(x: Value, axes: readonly number[], keep = false): Value {
    return this.apply(reduceSum, [x], { axes, keep })[0]!
  }
  /** Sums a gradient down to the shape its operand had before broadcasting. */
  sumTo(x: Value, shape: Shape): Value {
    if (sameShape(x.shape, shape)) return x
    const lead = x.shape.length - shape.length
    const axes = x.shape.map((_, i) => i).filter((i) => i < lead || (shape[i - lead] === 1 && x.shape[i] !== 1))
    return this.reshape(axes.length > 0 ? this.reduceSum(x, axes, true) : x, shape)
  }

  /** @param staying leading axes that stay as they are: see `ReshapeAttrs`. @default {0} */
  reshape(x: Value, shape: Shape, staying = 0): Value {
    if (sameShape(x.shape, shape)) return x
    return this.apply(reshape, [x], { shape, staying })[0]!
  }
  transpose = (x: Value, perm: readonly number[]): Value => this.apply(transpose, [x], { perm })[0]!
  /** @param dim a name for the joint size, where the sum of symbolic sizes has no spelling */
  concat(values: readonly Value[], axis: number, dim: Dim | null = null): Value {
    return values.length === 1 ? values[0]! : this.apply(concat, values, { axis, dim })[0]!
  }
  split(x: Value, axis: number, sizes: Shape): Value[] {
    return sizes.length === 1 ? [x] : [...this.apply(split, [x], { axis, sizes })]
  }
  /** Both halves of an axis of at least 2: see {@link halve}. */
  halve(x: Value, axis: number): readonly [Value, Value] {
    const [first, rest] = this.apply(halve, [x], { axis })
    return [first!, rest!]
  }
  gather = (table: Value, indices: Value, { distinct }: RowsAttrs = { distinct: false }): Value =>
    this.apply(gather, [table, indices], { distinct })[0]!
  scatterAdd = (base: Value, indices: Value, updates: Value, { distinct }: RowsAttrs = { distinct: false }): Value =>
    this.apply(scatterAdd, [base, indices, updates], { distinct })[0]!
  expand(x: Value, shape: Shape): Value {
    return sameShape(x.shape, shape) ? x : this.apply(expand, [x], { shape })[0]!
  }
  /** x where a mask is true, 0 elsewhere: see {@link keep}. */
  keep = (x: Value, mask: Value): Value => this.apply(keep, [x, mask], {})[0]!
  /** x as a constant in gradients: see {@link detach}. */
  detach = (x: Value): Value => this.apply(detach, [x], {})[0]!
  zeros = (shape: Shape): Value => this.apply(zeros, [], { shape })[0]!

  rmsNorm = (x: Value, weight: Value, epsilon: number): Value => this.apply(rmsNorm, [x, weight], { epsilon })[0]!
  /** The norm of a + b, and a + b: see {@link addRmsNorm}. */
  addRmsNorm(a: Value, b: Value, weight: Value, epsilon: number): readonly [Value, Value] {
    const [y, sum] = this.apply(addRmsNorm, [a, b, weight], { epsilon })
    return [y!, sum!]
  }
  layerNorm = (x: Value, weight: Value, bias: Value, epsilon: number): Value =>
    this.apply(layerNorm, [x, weight, bias], { epsilon })[0]!
  rope(x: Value, { cos, sin, negativeSin }: RopeTables, positions: Value, headDim: number): Value {
    return this.apply(rope, [x, cos, sin, negativeSin, positions], { headDim })[0]!
  }
  /** What a row may see of itself and of what stands before it: see {@link causalMask}. */
  causalMask(length: Dim, { before = 0, window = null }: Partial<Omit<MaskAttrs, "length">> = {}): Value {
    return this.apply(causalMask, [], { length, before, window })[0]!
  }
  /** Attention of whole rows under a mask to add to scores: see {@link rowAttention}. */
  rowAttention(q: Value, k: Value, v: Value, mask: Value, attrs: RowAttentionAttrs): Value {
    return this.apply(rowAttention, [q, k, v, mask], attrs)[0]!
  }
  cachedAttention(inputs: readonly Value[], attrs: CachedAttentionAttrs): readonly Value[] {
    return this.apply(cachedAttention, inputs, attrs)
  }

  /** A cache with new rows at their positions: see {@link placeRows}. */
  placeRows(cache: Value, rows: Value, positions: Value): Value {
    return this.apply(placeRows, [cache, rows, positions], {})[0]!
  }

  /**
   * The weighted cross-entropy of a linear head over rows, in chunks so that [rows, vocabulary] never exists whole.
   * @param rows h [n, C], n a multiple of `chunks`
   * @returns the loss [] and the number of rows whose most likely token is the label []
   */
  linearCrossEntropy(
    { rows, head, labels, weights, cap = null }: LinearHead & { readonly labels: Value },
    chunks = 1,
  ): { loss: Value; correct: Value } {
    const sizes = chunkSizes(rows.shape[0]!, chunks)
    const parts = [rows, labels, weights].map((value) => this.split(value, 0, sizes))
    let loss: Value | null = null
    let correct: Value | null = null
    for (let i = 0; i < chunks; i++) {
      const [l, c] = this.apply(linearCrossEntropy, [parts[0]![i]!, head, parts[1]![i]!, parts[2]![i]!], { cap })
      loss = loss ? this.add(loss, l!) : l!
      correct = correct ? this.add(correct, c!) : c!
    }
    return { loss: loss!, correct: correct! }
  }

  /**
   * The weighted divergence KL(p || q) of a linear head's distribution q from another head's p, in chunks; p has no
   * gradient.
   * @param rows h [n, C], n a multiple of `chunks`
   * @param from the rows and the head of p
   * @returns []
   */
  linearDivergence(
    { rows, head, from, weights, cap = null }: LinearHead & { readonly from: Pick<LinearHead, "rows" | "head"> },
    chunks = 1,
  ): Value {
    const sizes = chunkSizes(rows.shape[0]!, chunks)
    const parts = [rows, from.rows, weights].map((value) => this.split(value, 0, sizes))
    let loss: Value | null = null
    for (let i = 0; i < chunks; i++) {
      const z = this.softCap(this.gemm(parts[1]![i]!, from.head, { transB: true }), cap)
      const p = this.detach(this.softmax(z))
      const [one] = this.apply(linearDivergence, [parts[0]![i]!, head, p, parts[2]![i]!], { cap })
      loss = loss ? this.add(loss, one!) : one!
    }
    return loss!
  }

  #operand(operand: Operand): Value {
    if (typeof operand !== "number") return operand
    const known = this.#scalars.get(operand)
    if (known) return known
    const value = this.constant(f32([], [operand]))
    this.#scalars.set(operand, value)
    return value
  }

  #value(spec: Spec, origin: Origin): Value {
    return { id: this.#count++, dtype: spec.dtype, shape: spec.shape, origin }
  }
}

/** `chunks` equal sizes that make up `dim`. */
function chunkSizes(dim: Dim, chunks: number): Dim[] {
  if (chunks === 1) return [dim]
  const [coefficient, ...rest] = typeof dim === "number" ? [dim] : dim.split("*")
  const size = Number(coefficient) / chunks
  if (!Number.isInteger(size)) throw new TypeError(`Expected a number of rows divisible by ${chunks} but found ${dim}`)
  const part = product([size, ...rest])
  if (!sameDim(product([part, chunks]), dim)) throw new TypeError(`Can't cut ${dim} into ${chunks} chunks`)
  return Array.from({ length: chunks }, () => part)
}
