/**
 * @module Matrix products: `gemm` on flat matrices, `matmul` on batches of them.
 */
import { broadcast, type Dim, type Shape, sameDim, sameShape } from "../dim.ts"
import { defineOp, type Emitter, expectRank, float, int, ints, microsoft } from "../op.ts"

/** Settings of a product: alpha * op(A) op(B). */
export interface ProductAttrs {
  readonly transA: boolean
  readonly transB: boolean
  readonly alpha: number
}

/** Sizes of a product of two matrices (the last two axes). */
function matrixShape(op: string, a: Shape, b: Shape, { transA, transB }: ProductAttrs): [Dim, Dim] {
  const rows = a.at(transA ? -1 : -2)!
  const innerA = a.at(transA ? -2 : -1)!
  const innerB = b.at(transB ? -1 : -2)!
  const columns = b.at(transB ? -2 : -1)!
  if (!sameDim(innerA, innerB)) {
    throw new TypeError(
      `${op} of [${a}]${transA ? "^T" : ""} and [${b}]${transB ? "^T" : ""}: ${innerA} against ${innerB}`,
    )
  }
  return [rows, columns]
}

/**
 * Y = alpha op(A) op(B) + C on matrices: A [m, k], B [k, n], C [n] or [m, n] or absent. One stored weight serves the
 * forward product and, transposed by flag, the gradient of its input.
 */
export const gemm = defineOp<ProductAttrs>({
  name: "gemm",
  infer([a, b, c], attrs) {
    expectRank("gemm", a!.shape, 2)
    expectRank("gemm", b!.shape, 2)
    const shape = matrixShape("gemm", a!.shape, b!.shape, attrs)
    if (c && !sameShape(broadcast(c.shape, shape), shape))
      throw new TypeError(`gemm can't add [${c.shape}] to [${shape}]`)
    return [{ dtype: a!.dtype, shape }]
  },
  vjp(g, { inputs: [a, b, c], attrs: { transA, transB, alpha } }, [dy], needs) {
    const da = () =>
      transA ? g.gemm(b!, dy!, { transA: transB, transB: true, alpha }) : g.gemm(dy!, b!, { transB: !transB, alpha })
    const db = () =>
      transB ? g.gemm(dy!, a!, { transA: true, transB: transA, alpha }) : g.gemm(a!, dy!, { transA: !transA, alpha })
    return [needs[0] ? da() : null, needs[1] ? db() : null, c && needs[2] ? g.sumTo(dy!, c.shape) : null]
  },
  emit(e, { attrs: { transA, transB, alpha } }, inputs, outputs) {
    e.node("Gemm", inputs, { transA: int(+transA), transB: int(+transB), alpha: float(alpha) }, { outputs })
  },
})

/** Y = alpha op(A) op(B) on batches: A [..., m, k], B [..., k, n], leading axes broadcast. */
export const matmul = defineOp<ProductAttrs>({
  name: "matmul",
  infer([a, b], attrs) {
    const shape = matrixShape("matmul", a!.shape, b!.shape, attrs)
    return [{ dtype: a!.dtype, shape: [...broadcast(a!.shape.slice(0, -2), b!.shape.slice(0, -2)), ...shape] }]
  },
  vjp(g, { inputs: [a, b], attrs: { transA, transB, alpha } }, [dy], needs) {
    const da = () =>
      transA
        ? g.matmul(b!, dy!, { transA: transB, transB: true, alpha })
        : g.matmul(dy!, b!, { transB: !transB, alpha })
    const db = () =>
      transB
        ? g.matmul(dy!, a!, { transA: true, transB: transA, alpha })
        : g.matmul(a!, dy!, { transA: !transA, alpha })
    return [needs[0] ? g.sumTo(da(), a!.shape) : null, needs[1] ? g.sumTo(db(), b!.shape) : null]
  },
  emit(e, { inputs: [a, b], attrs: { transA, transB, alpha } }, [an, bn], outputs) {
    if (e.lowering === "fused") {
      e.node(
        "FusedMatMul",
        [an!, bn!],
        { transA: int(+transA), transB: int(+transB), alpha: float(alpha) },
        { domain: microsoft, outputs },
      )
      return
    }
    const left = transA ? swapLast(e, an!, a!.shape.length) : an!
    const right = transB ? swapLast(e, bn!, b!.shape.length) : bn!
    if (alpha === 1) {
      e.node("MatMul", [left, right], {}, { outputs })
    } else {
      const [y] = e.node("MatMul", [left, right])
      e.node("Mul", [y!, e.scalar(alpha)], {}, { outputs })
    }
  },
})

/** Transposes the last two axes. */
function swapLast(e: Emitter, name: string, rank: number): string {
  const perm = Array.from({ length: rank }, (_, i) => i)
  perm[rank - 1] = rank - 2
  perm[rank - 2] = rank - 1
  return e.node("Transpose", [name], { perm: ints(perm) })[0]!
}
