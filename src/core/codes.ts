/**
 * @module Weights as codes of 8 or 4 bits: blocks of 32 numbers along a row share one f32 scale, so that an outlier costs
 * precision in its own block only.
 *
 *     8 bits: scale = max |w| / 127          code = round(w / scale) + 128       w' = scale (code - 128)
 *     4 bits: scale = w_extreme / -8         code = round(w / scale) + 8         w' = scale (code - 8)
 *
 * where w_extreme is the number of the largest absolute value, with its sign: it gets the code 0, the only one that is 8
 * away from zero. Codes are unsigned, around 128 and 8, as ONNX Runtime's MatMulNBits reads them; two codes of 4 bits
 * make a byte, the first one in its lower half.
 *
 * Sources: block-wise absmax quantisation, Dettmers et al. 2021, https://arxiv.org/abs/2110.02861 (section 2.1), as
 * LLM.int8() (https://arxiv.org/abs/2208.07339) and QLoRA (https://arxiv.org/abs/2305.14314) build on it; the blocks of 32
 * are llama.cpp's Q8_0 and Q4_0.
 */

/** Numbers of a row that share a scale. Rows must be whole blocks. */
export const CODE_BLOCK = 32

/** Bits of a code. */
export type CodeBits = 8 | 4

/** The code of zero. */
export const codeZero = (bits: CodeBits): number => 2 ** (bits - 1)

/** Bytes of a block's codes. */
export const blockBytes = (bits: CodeBits): number => (CODE_BLOCK * bits) / 8

/** Below it f32 loses digits, and a scale could no longer hold its block's largest value: such a block is all zeros. */
const SMALLEST_NORMAL = 2 ** -126

/** A matrix as codes, row-major, and one scale for each block of a row. */
export interface CodeMatrix {
  readonly bits: CodeBits
  readonly codes: Uint8Array
  readonly scales: Float32Array
}

/**
 * Quantises a matrix whose rows are whole blocks. An element is off by at most half its block's scale; with 4 bits one of
 * the extreme's size and the other sign by at most a whole one.
 * @param data finite numbers, row-major
 * @throws {RangeError} If the length is no multiple of the block.
 */
export function quantizeCodes(data: Float32Array, bits: CodeBits): CodeMatrix {
  if (data.length % CODE_BLOCK !== 0)
    throw new RangeError(`Expected a multiple of ${CODE_BLOCK} numbers to quantise but found ${data.length}`)
  const zero = codeZero(bits)
  const codes = new Uint8Array(data.length).fill(zero)
  const scales = new Float32Array(data.length / CODE_BLOCK)
  for (let block = 0; block < scales.length; block++) {
    const from = block * CODE_BLOCK
    const to = from + CODE_BLOCK
    let extreme = 0
    for (let i = from; i < to; i++) if (Math.abs(data[i]!) > Math.abs(extreme)) extreme = data[i]!
    const scale = Math.fround(bits === 8 ? Math.abs(extreme) / 127 : extreme / -zero)
    if (Math.abs(scale) < SMALLEST_NORMAL) continue
    scales[block] = scale
    for (let i = from; i < to; i++) codes[i] = Math.min(2 ** bits - 1, Math.round(data[i]! / scale) + zero)
  }
  return { bits, codes: bits === 8 ? codes : paired(codes), scales }
}

/** The numbers that codes stand for. */
export function dequantizeCodes({ bits, codes, scales }: CodeMatrix): Float32Array {
  const data = new Float32Array(scales.length * CODE_BLOCK)
  const zero = codeZero(bits)
  for (let i = 0; i < data.length; i++) {
    const code = bits === 8 ? codes[i]! : (codes[i >> 1]! >> (4 * (i & 1))) & 15
    data[i] = (code - zero) * scales[Math.floor(i / CODE_BLOCK)]!
  }
  return data
}

/** A row-major [rows, columns] matrix as [columns, rows]. */
export function transposed(data: Float32Array, rows: number, columns: number): Float32Array {
  const out = new Float32Array(data.length)
  for (let row = 0; row < rows; row++)
    for (let column = 0; column < columns; column++) out[column * rows + row] = data[row * columns + column]!
  return out
}

/** Two codes a byte. */
const paired = (codes: Uint8Array): Uint8Array =>
  Uint8Array.from({ length: codes.length / 2 }, (_, i) => codes[2 * i]! | (codes[2 * i + 1]! << 4))
