/**
 * @module Operators over weights that are held as 8-bit codes (`src/core/int8.ts`): their numbers as f32, rows of a
 * table, and products. Codes are u8 around 128, in blocks of 32 along a row [out, in]; every block has an f32 scale.
 *
 * Codes come as [out * in / 32, 32] and scales as [out * in / 32]: so one DequantizeLinear with a scale for each row of
 * that matrix serves blocks, which opset 18 has no other way to say, and no session copies weights to reshape them.
 */
import { INT8_BLOCK as BLOCK, INT8_ZERO as ZERO } from "../../core/int8.ts"
import { type Dim, product, type Shape } from "../dim.ts"
import type { Spec } from "../ir.ts"
import { defineOp, type Emitter, expectRank, int, microsoft } from "../op.ts"

/** MatMulNBits' accuracy_level that multiplies in 8-bit integers; the others have no kernel for 8-bit weights. */
const INT8_PRODUCTS = 4

/** Blocks of a row. @throws {TypeError} If the row is not whole blocks. */
function blocksOf(op: string, columns: Dim): number {
  if (typeof columns !== "number" || columns % BLOCK !== 0)
    throw new TypeError(`${op} expects rows of whole blocks of ${BLOCK} but found ${columns}`)
  return columns / BLOCK
}

/** @throws {TypeError} If codes and scales aren't what the blocks of one matrix look like. */
function expectCodes(op: string, codes: Spec, scales: Spec): number {
  const count = codes.shape[0]
  if (codes.dtype !== "u8" || codes.shape.length !== 2 || codes.shape[1] !== BLOCK || typeof count !== "number")
    throw new TypeError(`${op} expects codes u8 [blocks, ${BLOCK}] but found ${codes.dtype} [${codes.shape}]`)
  if (scales.dtype !== "f32" || scales.shape.length !== 1 || scales.shape[0] !== count)
    throw new TypeError(`${op} expects scales f32 [${count}] but found ${scales.dtype} [${scales.shape}]`)
  return count
}

/**
 * scale (code - 128), block by block: codes u8 [n, 32] and scales f32 [n] to f32 [n, 32].
 *
 * What depends on constants alone, the engine computes before all else, and then every layer's f32 weights would be in
 * memory at once. So the scales are multiplied by a one that is made of the size of `after`, which is known only when
 * `after` is there. For the same reason nothing is folded at load, and the weights of the backward pass are not taken
 * for those of the forward pass and kept until then.
 */
function dequantized(e: Emitter, codes: string, scales: string, count: number, after: string): string {
  const [size] = e.node("Shape", [after], { start: int(0), end: int(1) })
  const [rows] = e.node("Cast", [size!], { to: int(1) })
  const [one] = e.node("Div", [rows!, rows!])
  const [late] = e.node("Mul", [scales, one!])
  const [zeros] = e.node("Expand", [e.scalar(ZERO, "u8"), e.ints([count])])
  return e.node("DequantizeLinear", [codes, late!, zeros!], { axis: int(0) })[0]!
}

/**
 * Codes and scales of a matrix as f32 of `shape`. The third input is a value of
 * one row or more that is there shortly before the weight is wanted: see {@link dequantized}.
 */
export const dequantize = defineOp<{ readonly shape: Shape }>({
  name: "dequantize",
  infer([codes, scales], { shape }) {
    const count = expectCodes("dequantize", codes!, scales!)
    if (product(shape) !== count * BLOCK)
      throw new TypeError(`dequantize can't give ${count} blocks of ${BLOCK} the shape [${shape}]`)
    return [{ dtype: "f32", shape }]
  },
  vjp: "frozen",
  emit(e, { inputs: [c], attrs: { shape } }, [codes, scales, after], outputs) {
    const blocks = dequantized(e, codes!, scales!, c!.shape[0] as number, after!)
    e.node("Reshape", [blocks, e.dims(shape)], {}, { outputs })
  },
})

/**
 * Rows of a table [entries, columns] that is held as codes: indices i64 [...] to f32 [..., columns]. Only the rows that
 * are asked for become f32.
 */
export const int8Rows = defineOp<{ readonly columns: number }>({
  name: "int8Rows",
  infer([codes, scales, indices], { columns }) {
    expectCodes("int8Rows", codes!, scales!)
    blocksOf("int8Rows", columns)
    return [{ dtype: "f32", shape: [...indices!.shape, columns] }]
  },
  vjp: "frozen",
  emit(e, { inputs: [, , i], attrs: { columns } }, [codes, scales, indices], outputs) {
    const blocks = columns / BLOCK
    // Block b of row r is row r * blocks + b of the codes.
    const [flat] = e.node("Reshape", [indices!, e.ints([-1, 1])])
    const [first] = e.node("Mul", [flat!, e.ints([blocks])])
    const [each] = e.node("Add", [first!, e.ints(Array.from({ length: blocks }, (_, b) => b))])
    const [which] = e.node("Reshape", [each!, e.ints([-1])])
    const [rowCodes] = e.node("Gather", [codes!, which!], { axis: int(0) })
    const [rowScales] = e.node("Gather", [scales!, which!], { axis: int(0) })
    const [numbers] = e.node("Cast", [rowCodes!], { to: int(1) })
    const [around] = e.node("Sub", [numbers!, e.scalar(ZERO)])
    const [column] = e.node("Reshape", [rowScales!, e.ints([-1, 1])])
    const [y] = e.node("Mul", [around!, column!])
    e.node("Reshape", [y!, e.dims([...i!.shape, columns])], {}, { outputs })
  },
})

/** Settings of a product with codes. */
export interface Int8ProductAttrs {
  /** x W in place of x W^T. */
  readonly transposed: boolean
}

/**
 * y = x W^T on flat rows, or x W: x f32 [n, in] with W [out, in] as codes, to [n, out]; transposed from [n, out] to
 * [n, in], which is the gradient towards the first one's x. W becomes f32 for this product alone, so that one layer of
 * it is held at a time; x stays f32.
 */
export const int8Product = defineOp<Int8ProductAttrs>({
  name: "int8Product",
  infer([x, codes, scales], { transposed }) {
    expectRank("int8Product", x!.shape, 2)
    const count = expectCodes("int8Product", codes!, scales!)
    const [rows, inner] = x!.shape as [Dim, Dim]
    if (!transposed) {
      const blocks = blocksOf("int8Product", inner)
      if (count % blocks !== 0) throw new TypeError(`int8Product can't cut ${count} blocks into rows of ${inner}`)
      return [{ dtype: "f32", shape: [rows, count / blocks] }]
    }
    if (typeof inner !== "number" || count % inner !== 0)
      throw new TypeError(`int8Product can't cut ${count} blocks into ${inner} rows`)
    return [{ dtype: "f32", shape: [rows, (count / inner) * BLOCK] }]
  },
  vjp: (g, { inputs: [, codes, scales], attrs: { transposed } }, [dy], needs) => [
    needs[0] ? g.int8Product(dy!, { codes: codes!, scales: scales! }, { transposed: !transposed }) : null,
    null,
    null,
  ],
  emit(e, { inputs: [x, c], outputs: [y], attrs: { transposed } }, [xn, codes, scales], outputs) {
    const [rows, columns] = (transposed ? [x, y] : [y, x]).map((value) => value!.shape[1]!) as [number, number]
    const blocks = dequantized(e, codes!, scales!, c!.shape[0] as number, xn!)
    const [w] = e.node("Reshape", [blocks, e.ints([rows, columns])])
    e.node("Gemm", [xn!, w!], { transB: int(+!transposed) }, { outputs })
  },
})

/**
 * y = x W^T with x rounded to 8 bits as well, in blocks of 32 of a row by their largest absolute value: the product is
 * one of integers, on kernels that only some backends have. For decoding: x [n, in], codes u8 [out, in / 32, 32], scales
 * f32 [out * in / 32] to [n, out]. The standard lowering leaves x as it is.
 */
export const int8ProductRounded = defineOp<Record<string, never>>({
  name: "int8ProductRounded",
  infer([x, codes, scales]) {
    expectRank("int8ProductRounded", x!.shape, 2)
    const blocks = blocksOf("int8ProductRounded", x!.shape[1]!)
    const out = codes!.shape[0] as number
    if (codes!.dtype !== "u8" || codes!.shape.join() !== [out, blocks, BLOCK].join())
      throw new TypeError(
        `int8ProductRounded expects codes u8 [out, ${blocks}, ${BLOCK}] but found ${codes!.dtype} [${codes!.shape}]`,
      )
    if (scales!.shape.join() !== String(out * blocks))
      throw new TypeError(`int8ProductRounded expects scales [${out * blocks}] but found [${scales!.shape}]`)
    return [{ dtype: "f32", shape: [x!.shape[0]!, out] }]
  },
  vjp: null,
  emit(e, { inputs: [x, c] }, [xn, codes, scales], outputs) {
    const out = c!.shape[0] as number
    const columns = x!.shape[1] as number
    if (e.lowering === "fused") {
      const sizes = { K: int(columns), N: int(out), bits: int(8), block_size: int(BLOCK) }
      e.node(
        "MatMulNBits",
        [xn!, codes!, scales!],
        { ...sizes, accuracy_level: int(INT8_PRODUCTS) },
        { domain: microsoft, outputs },
      )
      return
    }
    const [flat] = e.node("Reshape", [codes!, e.ints([-1, BLOCK])])
    const blocks = dequantized(e, flat!, scales!, (out * columns) / BLOCK, xn!)
    const [w] = e.node("Reshape", [blocks, e.ints([out, columns])])
    e.node("Gemm", [xn!, w!], { transB: int(1) }, { outputs })
  },
})
