/**
 * @module Weights as 8-bit codes: blocks of 32 numbers along a row share one f32 scale, the block's largest absolute
 * value over 127, so that an outlier costs precision in its own block only.
 *
 *     scale = max |w| / 127        code = round(w / scale) + 128        w' = scale (code - 128)
 *
 * Sources: block-wise absmax quantisation, Dettmers et al. 2021, https://arxiv.org/abs/2110.02861 (section 2.1), as
 * LLM.int8() (https://arxiv.org/abs/2208.07339) and QLoRA (https://arxiv.org/abs/2305.14314) build on it; the block of 32
 * is llama.cpp's Q8_0. Codes stand around 128 because ONNX Runtime's MatMulNBits reads unsigned ones with that zero.
 */

/** Numbers of a row that share a scale. Rows must be whole blocks. */
export const INT8_BLOCK = 32

/** The code of zero. */
export const INT8_ZERO = 128

/** Below it f32 loses digits, and a scale could no longer hold its block's largest value: such a block is all zeros. */
const SMALLEST_NORMAL = 2 ** -126

/** A matrix as codes, row-major, and one scale for each block of a row. */
export interface Int8Matrix {
  readonly codes: Uint8Array
  readonly scales: Float32Array
}

/**
 * Quantises a matrix whose rows are whole blocks; an element is off by at most half its block's scale.
 * @param data finite numbers, row-major
 * @throws {RangeError} If the length is no multiple of the block.
 */
export function quantizeInt8(data: Float32Array): Int8Matrix {
  if (data.length % INT8_BLOCK !== 0)
    throw new RangeError(`Expected a multiple of ${INT8_BLOCK} numbers to quantise but found ${data.length}`)
  const codes = new Uint8Array(data.length)
  const scales = new Float32Array(data.length / INT8_BLOCK)
  for (let block = 0; block < scales.length; block++) {
    const from = block * INT8_BLOCK
    const to = from + INT8_BLOCK
    let largest = 0
    for (let i = from; i < to; i++) largest = Math.max(largest, Math.abs(data[i]!))
    const scale = Math.fround(largest / 127)
    if (scale < SMALLEST_NORMAL) codes.fill(INT8_ZERO, from, to)
    else {
      scales[block] = scale
      for (let i = from; i < to; i++) codes[i] = Math.round(data[i]! / scale) + INT8_ZERO
    }
  }
  return { codes, scales }
}

/** The numbers that codes stand for. */
export function dequantizeInt8({ codes, scales }: Int8Matrix): Float32Array {
  const data = new Float32Array(codes.length)
  for (let i = 0; i < data.length; i++) data[i] = (codes[i]! - INT8_ZERO) * scales[Math.floor(i / INT8_BLOCK)]!
  return data
}

/** A row-major [rows, columns] matrix as [columns, rows]. */
export function transposed(data: Float32Array, rows: number, columns: number): Float32Array {
  const out = new Float32Array(data.length)
  for (let row = 0; row < rows; row++)
    for (let column = 0; column < columns; column++) out[column * rows + row] = data[row * columns + column]!
  return out
}
