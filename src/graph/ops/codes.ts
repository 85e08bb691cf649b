/**
 * @module Operators over weights that are held as codes of 8 or 4 bits (`src/core/codes.ts`): their numbers as f32, rows of
 * a table, and products. Codes are bytes, in blocks of 32 numbers along a row [out, in]; every block has an f32 scale.
 *
 * Codes come as [out * in / 32, bytes of a block] and scales as [out * in / 32]: so one DequantizeLinear with a scale for
 * each row of that matrix serves blocks, which opset 18 has no other way to say, and no session copies weights to reshape
 * them.
 */
import { CODE_BLOCK as BLOCK, blockBytes, type CodeBits, codeZero } from "../../core/codes.ts"
import { type Dim, product, type Shape } from "../dim.ts"
import type { Spec } from "../ir.ts"
import { defineOp, type Emitter, expectRank, int, microsoft, string } from "../op.ts"

/** MatMulNBits' accuracy_level that multiplies in 8-bit integers; for 8-bit weights the others have no kernel. */
const INTEGER_PRODUCTS = 4

/** How codes are held. */
export interface CodesAttrs {
  readonly bits: CodeBits
}

/** Blocks of a row. @throws {TypeError} If the row is not whole blocks. */
function blocksOf(op: string, columns: Dim): number {
  if (typeof columns !== "number" || columns % BLOCK !== 0)
    throw new TypeError(`${op} expects rows of whole blocks of ${BLOCK} but found ${columns}`)
  return columns / BLOCK
}

/** @throws {TypeError} If codes and scales aren't what the blocks of one matrix look like. */
function expectCodes(op: string, codes: Spec, scales: Spec, bits: CodeBits): number {
  const count = codes.shape[0]
  const width = blockBytes(bits)
  if (codes.dtype !== "u8" || codes.shape.length !== 2 || codes.shape[1] !== width || typeof count !== "number")
    throw new TypeError(`${op} expects codes u8 [blocks, ${width}] but found ${codes.dtype} [${codes.shape}]`)
  if (scales.dtype !== "f32" || scales.shape.length !== 1 || scales.shape[0] !== count)
    throw new TypeError(`${op} expects scales f32 [${count}] but found ${scales.dtype} [${scales.shape}]`)
  return count
}

/** One code a byte: u8 [n, bytes of a block] to u8 [n, 32]. */
function apart(e: Emitter, codes: string, bits: CodeBits): string {
  if (bits === 8) return codes
  const [low] = e.node("BitwiseAnd", [codes, e.scalar(15, "u8")])
  const [high] = e.node("BitShift", [codes, e.scalar(4, "u8")], { direction: string("RIGHT") })
  const pair = [low!, high!].map((half) => e.node("Unsqueeze", [half, e.ints([2])])[0]!)
  const [joined] = e.node("Concat", pair, { axis: int(2) })
  return e.node("Reshape", [joined!, e.ints([-1, BLOCK])])[0]!
}

/**
 * scale (code - zero), block by block: codes u8 [n, bytes of a block] and scales f32 [n] to f32 [n, 32].
 *
 * What depends on constants alone, the engine computes before all else, and then every layer's f32 weights would be in
 * memory at once. So the codes and the scales are made to wait for `after`: for 8 bits the scales are multiplied by a one
 * that is made of its size, which is known only when it is there; for 4 bits what splits the bytes is made of it as well.
 * For the same reason nothing is folded at load, and the weights of the backward pass are not taken for those of the
 * forward pass and kept until then.
 */
function dequantized(
  e: Emitter,
  { codes, scales, bits }: { codes: string; scales: string; bits: CodeBits },
  count: number,
  after: string,
): string {
  const [size] = e.node("Shape", [after], { start: int(0), end: int(1) })
  const [rows] = e.node("Cast", [size!], { to: int(1) })
  const [one] = e.node("Div", [rows!, rows!])
  const [late] = e.node("Mul", [scales, one!])
  const [zeros] = e.node("Expand", [e.scalar(codeZero(bits), "u8"), e.ints([count])])
  let waiting = codes
  if (bits === 4) {
    const [byte] = e.node("Cast", [one!], { to: int(2) })
    const [all] = e.node("Mul", [byte!, e.scalar(255, "u8")])
    waiting = e.node("BitwiseAnd", [codes, all!])[0]!
  }
  return e.node("DequantizeLinear", [apart(e, waiting, bits), late!, zeros!], { axis: int(0) })[0]!
}

/**
 * Codes and scales of a matrix as f32 of `shape`. The third input is a value of
 * one row or more that is there shortly before the weight is wanted: see {@link dequantized}.
 */
export const dequantize = defineOp<CodesAttrs & { readonly shape: Shape }>({
  name: "dequantize",
  infer([codes, scales], { shape, bits }) {
    const count = expectCodes("dequantize", codes!, scales!, bits)
    if (product(shape) !== count * BLOCK)
      throw new TypeError(`dequantize can't give ${count} blocks of ${BLOCK} the shape [${shape}]`)
    return [{ dtype: "f32", shape }]
  },
  vjp: "frozen",
  emit(e, { inputs: [c], attrs: { shape, bits } }, [codes, scales, after], outputs) {
    const blocks = dequantized(e, { codes: codes!, scales: scales!, bits }, c!.shape[0] as number, after!)
    e.node("Reshape", [blocks, e.dims(shape)], {}, { outputs })
  },
})

/**
 * Rows of a table [entries, columns] that is held as codes: indices i64 [...] to f32 [..., columns]. Only the rows that
 * are asked for become f32.
 */
export const codesRows = defineOp<CodesAttrs & { readonly columns: number }>({
  name: "codesRows",
  infer([codes, scales, indices], { columns, bits }) {
    expectCodes("codesRows", codes!, scales!, bits)
    blocksOf("codesRows", columns)
    return [{ dtype: "f32", shape: [...indices!.shape, columns] }]
  },
  vjp: "frozen",
  emit(e, { inputs: [, , i], attrs: { columns, bits } }, [codes, scales, indices], outputs) {
    const blocks = columns / BLOCK
    // Block b of row r is row r * blocks + b of the codes.
    const [flat] = e.node("Reshape", [indices!, e.ints([-1, 1])])
    const [first] = e.node("Mul", [flat!, e.ints([blocks])])
    const [each] = e.node("Add", [first!, e.ints(Array.from({ length: blocks }, (_, b) => b))])
    const [which] = e.node("Reshape", [each!, e.ints([-1])])
    const [rowCodes] = e.node("Gather", [codes!, which!], { axis: int(0) })
    const [rowScales] = e.node("Gather", [scales!, which!], { axis: int(0) })
    const [numbers] = e.node("Cast", [apart(e, rowCodes!, bits)], { to: int(1) })
    const [around] = e.node("Sub", [numbers!, e.scalar(codeZero(bits))])
    const [column] = e.node("Reshape", [rowScales!, e.ints([-1, 1])])
    const [y] = e.node("Mul", [around!, column!])
    e.node("Reshape", [y!, e.dims([...i!.shape, columns])], {}, { outputs })
  },
})

/** Settings of a product with codes. */
export interface CodesProductAttrs extends CodesAttrs {
  /** x W in place of x W^T. */
  readonly transposed: boolean
}

/**
 * y = x W^T on flat rows, or x W: x f32 [n, in] with W [out, in] as codes, to [n, out]; transposed from [n, out] to
 * [n, in], which is the gradient towards the first one's x. W becomes f32 for this product alone, so that one layer of
 * it is held at a time; x stays f32.
 */
export const codesProduct = defineOp<CodesProductAttrs>({
  name: "codesProduct",
  infer([x, codes, scales], { transposed, bits }) {
    expectRank("codesProduct", x!.shape, 2)
    const count = expectCodes("codesProduct", codes!, scales!, bits)
    const [rows, inner] = x!.shape as [Dim, Dim]
    if (!transposed) {
      const blocks = blocksOf("codesProduct", inner)
      if (count % blocks !== 0) throw new TypeError(`codesProduct can't cut ${count} blocks into rows of ${inner}`)
      return [{ dtype: "f32", shape: [rows, count / blocks] }]
    }
    if (typeof inner !== "number" || count % inner !== 0)
      throw new TypeError(`codesProduct can't cut ${count} blocks into ${inner} rows`)
    return [{ dtype: "f32", shape: [rows, (count / inner) * BLOCK] }]
  },
  vjp: (g, { inputs: [, codes, scales], attrs: { transposed, bits } }, [dy], needs) => [
    needs[0] ? g.codesProduct(dy!, { codes: codes!, scales: scales!, bits }, { transposed: !transposed }) : null,
    null,
    null,
  ],
  emit(e, { inputs: [x, c], outputs: [y], attrs: { transposed, bits } }, [xn, codes, scales], outputs) {
    const [rows, columns] = (transposed ? [x, y] : [y, x]).map((value) => value!.shape[1]!) as [number, number]
    const blocks = dequantized(e, { codes: codes!, scales: scales!, bits }, c!.shape[0] as number, xn!)
    const [w] = e.node("Reshape", [blocks, e.ints([rows, columns])])
    e.node("Gemm", [xn!, w!], { transB: int(+!transposed) }, { outputs })
  },
})

/**
 * y = x W^T with x rounded to 8 bits as well, in blocks of 32 of a row by their largest absolute value: the product is
 * one of integers, on kernels that only some backends have. For decoding: x [n, in], codes u8 [out, in / 32, bytes of a
 * block], scales f32 [out * in / 32] to [n, out]. The standard lowering leaves x as it is.
 */
export const codesProductRounded = defineOp<CodesAttrs>({
  name: "codesProductRounded",
  infer([x, codes, scales], { bits }) {
    expectRank("codesProductRounded", x!.shape, 2)
    const blocks = blocksOf("codesProductRounded", x!.shape[1]!)
    const out = codes!.shape[0] as number
    const width = blockBytes(bits)
    if (codes!.dtype !== "u8" || codes!.shape.join() !== [out, blocks, width].join())
      throw new TypeError(
        `codesProductRounded expects codes u8 [out, ${blocks}, ${width}] but found ${codes!.dtype} [${codes!.shape}]`,
      )
    if (scales!.shape.join() !== String(out * blocks))
      throw new TypeError(`codesProductRounded expects scales [${out * blocks}] but found [${scales!.shape}]`)
    return [{ dtype: "f32", shape: [x!.shape[0]!, out] }]
  },
  vjp: null,
  emit(e, { inputs: [x, c], attrs: { bits } }, [xn, codes, scales], outputs) {
    const out = c!.shape[0] as number
    const columns = x!.shape[1] as number
    if (e.lowering === "fused") {
      const sizes = { K: int(columns), N: int(out), bits: int(bits), block_size: int(BLOCK) }
      e.node(
        "MatMulNBits",
        [xn!, codes!, scales!],
        { ...sizes, accuracy_level: int(INTEGER_PRODUCTS) },
        { domain: microsoft, outputs },
      )
      return
    }
    const [flat] = e.node("Reshape", [codes!, e.ints([-1, blockBytes(bits)])])
    const blocks = dequantized(e, { codes: flat!, scales: scales!, bits }, (out * columns) / BLOCK, xn!)
    const [w] = e.node("Reshape", [blocks, e.ints([out, columns])])
    e.node("Gemm", [xn!, w!], { transB: int(1) }, { outputs })
  },
})
