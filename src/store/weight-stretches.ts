/**
 * @module A blob of f32 weights that is never there as a whole: a stretch of it is made when it is asked for, from tensors that lie
 * in memory as they are stored.
 */
import { bytesOf, freeNow } from "../core/bytes.ts"

/**
 * Gives stretches of a blob, each in a buffer that the next one comes in too.
 * @param f32Into writes a tensor as f32 into an array of its size
 * @param layout where each tensor lies in the blob, in bytes; between them are zeros
 */
export function stretchesOf(
  f32Into: (name: string, out: Float32Array) => void,
  layout: ReadonlyMap<string, { readonly offset: number; readonly length: number }>,
): (offset: number, length: number) => Uint8Array {
  let buffer = new Uint8Array(0)
  return (offset, length) => {
    if (buffer.length < length) {
      freeNow(buffer)
      buffer = new Uint8Array(length)
    }
    const stretch = buffer.subarray(0, length).fill(0)
    for (const [name, place] of layout) {
      const [from, to] = [place.offset - offset, place.offset + place.length - offset]
      if (to <= 0 || from >= length) continue
      if (from >= 0 && to <= length) f32Into(name, new Float32Array(buffer.buffer, from, place.length / 4))
      else {
        const whole = new Float32Array(place.length / 4)
        f32Into(name, whole)
        stretch.set(bytesOf(whole).subarray(Math.max(0, -from), length - from), Math.max(0, from))
      }
    }
    return stretch
  }
}
