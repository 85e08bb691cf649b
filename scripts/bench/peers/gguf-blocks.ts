/**
 * @module Weights in GGUF's blocks of 32 numbers, as llama.cpp's own quantizer rounds them without an importance matrix.
 * Source: `quantize_row_q8_0_ref` and `quantize_row_q4_0_ref` of
 * https://github.com/ggml-org/ggml/blob/master/src/ggml-quants.c
 */
import { f16ToNumber, f32ToF16 } from "../../../src/core/half.ts"
import type { GgufTensor } from "../../../src/formats/gguf/content.ts"

const BLOCK = 32

/** A tensor of whole blocks. @param shape row-major, its last size a multiple of 32 */
export function ggufBlocks(type: "Q8_0" | "Q4_0", shape: readonly number[], data: Float32Array): GgufTensor {
  const width = type === "Q8_0" ? 34 : 18
  const bytes = new Uint8Array((data.length / BLOCK) * width)
  const put = type === "Q8_0" ? putQ8 : putQ4
  for (let i = 0, at = 0; i < data.length; i += BLOCK, at += width)
    put(data.subarray(i, i + BLOCK), bytes.subarray(at, at + width))
  return { type, shape, bytes }
}

/** Writes a scale. @returns what to multiply with: the scale before it is rounded to 16 bits, inverted */
function putScale(scale: number, out: Uint8Array): number {
  const half = f32ToF16(Float32Array.of(scale))[0]!
  out[0] = half & 255
  out[1] = half >> 8
  return f16ToNumber(half) === 0 ? 0 : 1 / scale
}

function putQ8(block: Float32Array, out: Uint8Array): void {
  let most = 0
  for (const x of block) most = Math.max(most, Math.abs(x))
  const inverse = putScale(most / 127, out)
  for (let i = 0; i < BLOCK; i++) out[2 + i] = Math.round(block[i]! * inverse) & 255
}

function putQ4(block: Float32Array, out: Uint8Array): void {
  let farthest = 0
  for (const x of block) if (Math.abs(x) > Math.abs(farthest)) farthest = x
  const inverse = putScale(farthest / -8, out)
  const code = (x: number): number => Math.min(15, Math.trunc(x * inverse + 8.5))
  for (let i = 0; i < BLOCK / 2; i++) out[2 + i] = code(block[i]!) | (code(block[i + BLOCK / 2]!) << 4)
}
