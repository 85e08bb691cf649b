/**
 * @module Half precision: f16 (IEEE 754 binary16) and bf16, as their bits, to and from f32, rounding to nearest even.
 */
const float = new Float32Array(1)
const bits = new Uint32Array(float.buffer)

/** One f16 as a number. */
export function f16ToNumber(half: number): number {
  const sign = half & 0x8000 ? -1 : 1
  const exponent = (half >> 10) & 31
  const fraction = half & 1023
  if (exponent === 0) return sign * fraction * 2 ** -24
  if (exponent === 31) return fraction ? Number.NaN : sign * Number.POSITIVE_INFINITY
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15)
}

/** The nearest f16 of a number; beyond 65504 it is infinite. */
export function numberToF16(value: number): number {
  float[0] = value
  const word = bits[0]!
  const sign = (word >>> 16) & 0x8000
  const magnitude = word & 0x7fffffff
  if (magnitude >= 0x7f800000) return sign | (magnitude > 0x7f800000 ? 0x7e00 : 0x7c00)
  if (magnitude >= 0x477ff000) return sign | 0x7c00
  if (magnitude >= 0x38800000) return sign | ((magnitude - 0x38000000 + 0xfff + ((magnitude >>> 13) & 1)) >>> 13)
  // Below 2^-14 an f16 is a multiple of 2^-24. JavaScript rounds halves up, so ties are put right by hand.
  const scaled = Math.abs(float[0]!) * 2 ** 24
  const low = Math.floor(scaled)
  const rest = scaled - low
  return sign | (rest > 0.5 || (rest === 0.5 && low % 2 === 1) ? low + 1 : low)
}

/** Every f16 as f32, made on first use: a table beats arithmetic on whole checkpoints. */
let table: Float32Array | null = null

/** f16 bits to f32. @param out what to write into, of as many numbers */
export function f16ToF32(halves: Uint16Array, out: Float32Array = new Float32Array(halves.length)): Float32Array {
  if (table === null) {
    table = new Float32Array(65536)
    for (let half = 0; half < table.length; half++) table[half] = f16ToNumber(half)
  }
  for (let i = 0; i < halves.length; i++) out[i] = table[halves[i]!]!
  return out
}

/** f32 to f16 bits. */
export function f32ToF16(values: Float32Array): Uint16Array {
  const out = new Uint16Array(values.length)
  for (let i = 0; i < values.length; i++) out[i] = numberToF16(values[i]!)
  return out
}

/** bf16 bits to f32: the upper half of its bits. @param out what to write into, of as many numbers */
export function bf16ToF32(halves: Uint16Array, out: Float32Array = new Float32Array(halves.length)): Float32Array {
  const words = new Uint32Array(out.buffer, out.byteOffset, out.length)
  for (let i = 0; i < halves.length; i++) words[i] = halves[i]! << 16
  return out
}

/** f32 to bf16 bits. */
export function f32ToBf16(values: Float32Array): Uint16Array {
  const words = new Uint32Array(values.buffer, values.byteOffset, values.length)
  const out = new Uint16Array(values.length)
  for (let i = 0; i < words.length; i++) {
    const word = words[i]!
    const nan = (word & 0x7fffffff) > 0x7f800000
    out[i] = nan ? (word >>> 16) | 0x40 : (word + 0x7fff + ((word >>> 16) & 1)) >>> 16
  }
  return out
}
