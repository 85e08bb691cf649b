/**
 * @module Tensors of GGUF files as f32. A block holds a scale and small whole numbers; the `_K` types hold 256 numbers
 * in parts of 16 or 32 whose scales are themselves small whole numbers.
 * Source: the `dequantize_row_*` functions of https://github.com/ggml-org/ggml/blob/master/src/ggml-quants.c
 */
import { bf16ToF32, f16ToF32, f16ToNumber } from "../../core/half.ts"
import { sizeOf } from "../../core/tensor.ts"
import { type GgufTensor, type GgufTensorType, tensorTypes } from "./content.ts"

/** The numbers of a tensor, row-major. */
export function decodeGguf({ type, shape, bytes }: GgufTensor): Float32Array {
  const buffer = new Uint8Array(bytes).buffer
  if (type === "F32") return new Float32Array(buffer)
  if (type === "F16") return f16ToF32(new Uint16Array(buffer))
  if (type === "BF16") return bf16ToF32(new Uint16Array(buffer))
  const out = new Float32Array(sizeOf(shape))
  const { elements, bytes: width } = tensorTypes[type]
  const decode = blocks[type]
  for (let i = 0, at = 0; i < out.length; i += elements, at += width)
    decode(bytes.subarray(at, at + width), out.subarray(i, i + elements))
  return out
}

/** Puts a block's numbers in place. */
type DecodeBlock = (block: Uint8Array, out: Float32Array) => void

const half = (block: Uint8Array, at: number): number => f16ToNumber(block[at]! | (block[at + 1]! << 8))
const signed = (byte: number): number => (byte << 24) >> 24

/** Scale and minimum of the part `j` of 8, 6 bits each, packed into 12 bytes. */
function scaleAndMin(packed: Uint8Array, j: number): [number, number] {
  if (j < 4) return [packed[j]! & 63, packed[j + 4]! & 63]
  const [both, low, high] = [packed[j + 4]!, packed[j - 4]!, packed[j]!]
  return [(both & 15) | ((low >> 6) << 4), (both >> 4) | ((high >> 6) << 4)]
}

const blocks: Readonly<Record<Exclude<GgufTensorType, "F32" | "F16" | "BF16">, DecodeBlock>> = {
  Q8_0(block, out) {
    const scale = half(block, 0)
    for (let i = 0; i < 32; i++) out[i] = scale * signed(block[2 + i]!)
  },
  Q4_0(block, out) {
    const scale = half(block, 0)
    for (let i = 0; i < 16; i++) {
      out[i] = scale * ((block[2 + i]! & 15) - 8)
      out[i + 16] = scale * ((block[2 + i]! >> 4) - 8)
    }
  },
  Q4_1(block, out) {
    const [scale, least] = [half(block, 0), half(block, 2)]
    for (let i = 0; i < 16; i++) {
      out[i] = scale * (block[4 + i]! & 15) + least
      out[i + 16] = scale * (block[4 + i]! >> 4) + least
    }
  },
  Q5_0(block, out) {
    const scale = half(block, 0)
    // The fifth bit of number i is bit i of four bytes.
    const fifth = (i: number): number => ((block[2 + (i >> 3)]! >> (i & 7)) & 1) << 4
    for (let i = 0; i < 16; i++) {
      out[i] = scale * (((block[6 + i]! & 15) | fifth(i)) - 16)
      out[i + 16] = scale * (((block[6 + i]! >> 4) | fifth(i + 16)) - 16)
    }
  },
  Q4_K(block, out) {
    parts(block, out, 16, () => 0)
  },
  Q5_K(block, out) {
    parts(block, out, 48, (part, i) => ((block[16 + i]! >> part) & 1) << 4)
  },
  Q6_K(block, out) {
    const scale = half(block, 208)
    for (let i = 0; i < 256; i++) {
      const [half, quarter, l] = [i >> 7, (i >> 5) & 3, i & 31]
      const low = (block[64 * half + 32 * (quarter & 1) + l]! >> (4 * (quarter >> 1))) & 15
      const high = (block[128 + 32 * half + l]! >> (2 * quarter)) & 3
      out[i] = scale * signed(block[192 + (i >> 4)]!) * ((low | (high << 4)) - 32)
    }
  },
}

/** Eight parts of 32 numbers, each with a scale and a minimum. @param codes where the lower four bits begin */
function parts(block: Uint8Array, out: Float32Array, codes: number, fifth: (part: number, i: number) => number): void {
  const [scale, least] = [half(block, 0), half(block, 2)]
  const packed = block.subarray(4, 16)
  for (let part = 0; part < 8; part++) {
    const [s, m] = scaleAndMin(packed, part)
    for (let i = 0; i < 32; i++) {
      const low = (block[codes + 32 * (part >> 1) + i]! >> (4 * (part & 1))) & 15
      out[32 * part + i] = scale * s * (low | fifth(part, i)) - least * m
    }
  }
}
