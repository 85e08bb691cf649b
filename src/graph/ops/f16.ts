/**
 * @module Operators over frozen weights that are held as f16: as f32 numbers, as rows of a table, and in products. What
 * computes is f32 throughout: the products of f16 that a GPU has sum in f16 as well, which loses a thousandth of a result
 * and more (docs/log.md), and most processors have none.
 */
import { type Dim, type Shape, sameDim } from "../dim.ts"
import type { Spec } from "../ir.ts"
import { defineOp, type Emitter, expectRank, int } from "../op.ts"

/** ONNX's code of f32, as `Cast` takes it. */
const F32 = 1

/** @throws {TypeError} If a weight isn't f16. */
function expectF16(op: string, weight: Spec): void {
  if (weight.dtype !== "f16")
    throw new TypeError(`${op} expects a weight of f16 but found ${weight.dtype} [${weight.shape}]`)
}

/**
 * A weight as f32, not before `after` is there.
 *
 * What depends on constants alone, the engine computes before all else, and then every layer's f32 weights would be in
 * memory at once. So the weight is first given its own shape by a `Reshape`, which copies nothing, to a shape that is made
 * of the size of `after`: that size times zeros, and of a zero `Reshape` makes its input's own size. For the same reason
 * the weights of the backward pass are not those of the forward pass, kept until then.
 *
 * The engine doesn't see through that, and a product of unknown sizes costs memory: what comes after it is not computed in
 * place. So a second `Reshape` says the sizes again.
 */
function widened(e: Emitter, weight: string, { shape, after }: Late, outputs: 1 | readonly string[] = 1): string {
  const same = e.once(`same-${shape.length}-${after}`, () => {
    const [size] = e.node("Shape", [after], { start: int(0), end: int(1) })
    return e.node("Mul", [size!, e.ints(shape.map(() => 0))])[0]!
  })
  const [late] = e.node("Reshape", [weight, same])
  const [wide] = e.node("Cast", [late!], { to: int(F32) })
  return e.node("Reshape", [wide!, e.dims(shape)], {}, { outputs })[0]!
}

/** A weight's shape, and what it waits for. */
interface Late {
  readonly shape: Shape
  readonly after: string
}

/** A weight f16 as f32 of its shape. The second input is a value that is there shortly before it is wanted. */
export const f16Value = defineOp<Record<never, never>>({
  name: "f16Value",
  infer([weight]) {
    expectF16("f16Value", weight!)
    return [{ dtype: "f32", shape: weight!.shape }]
  },
  vjp: "frozen",
  emit(e, { inputs: [w] }, [weight, after], outputs) {
    widened(e, weight!, { shape: w!.shape, after: after! }, outputs)
  },
})

/** Rows of a table f16 [entries, features]: indices i64 [...] to f32 [..., features]. Only those rows become f32. */
export const f16Rows = defineOp<Record<never, never>>({
  name: "f16Rows",
  infer([table, indices]) {
    expectF16("f16Rows", table!)
    expectRank("f16Rows", table!.shape, 2)
    return [{ dtype: "f32", shape: [...indices!.shape, table!.shape[1]!] }]
  },
  vjp: "frozen",
  emit(e, _node, [table, indices], outputs) {
    const [rows] = e.node("Gather", [table!, indices!], { axis: int(0) })
    e.node("Cast", [rows!], { to: int(F32) }, { outputs })
  },
})

/** Settings of a product. */
export interface F16ProductAttrs {
  /** Whether the weight is [out, in]. */
  readonly transB: boolean
}

/**
 * y = x W^T with W f16 [out, in], or y = x W with W f16 [in, out]: x f32 [n, in] to f32 [n, out]. The one is the other's
 * gradient towards x. W becomes f32 for this product alone, so that one layer of it is held at a time.
 */
export const f16Product = defineOp<F16ProductAttrs>({
  name: "f16Product",
  infer([x, weight], { transB }) {
    expectRank("f16Product", x!.shape, 2)
    expectF16("f16Product", weight!)
    expectRank("f16Product", weight!.shape, 2)
    const [rows, inner] = x!.shape as [Dim, Dim]
    const [first, second] = weight!.shape as [Dim, Dim]
    if (!sameDim(inner, transB ? second : first))
      throw new TypeError(`f16Product of [${x!.shape}] and [${weight!.shape}]${transB ? "^T" : ""}`)
    return [{ dtype: "f32", shape: [rows, transB ? first : second] }]
  },
  vjp: (g, { inputs: [, weight], attrs: { transB } }, [dy], needs) => [
    needs[0] ? g.f16Product(dy!, weight!, { transB: !transB }) : null,
    null,
  ],
  emit(e, { inputs: [, w], attrs: { transB } }, [x, weight], outputs) {
    e.node("Gemm", [x!, widened(e, weight!, { shape: w!.shape, after: x! })], { transB: int(+transB) }, { outputs })
  },
})
