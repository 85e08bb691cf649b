/**
 * @module A blob of weights that is never there as a whole: a stretch of it is made when it is asked for, from tensors that lie in
 * memory as they are stored.
 */
import { freeNow } from "../core/bytes.ts"
import type { FrozenWeights } from "../runtime/runtime.ts"

/**
 * Gives stretches of a blob, each in a buffer that the next one comes in too.
 * @param write writes a tensor as the blob holds it into as many bytes as it has there, which begin at a multiple of four
 * @param layout where each tensor lies in the blob, in bytes; between them are zeros
 */
export function stretchesOf(
  write: (name: string, out: Uint8Array) => void,
  layout: ReadonlyMap<string, { readonly offset: number; readonly length: number }>,
): Required<Pick<FrozenWeights, "part" | "partsDone">> {
  let buffer = new Uint8Array(0)
  const part = (offset: number, length: number): Uint8Array => {
    if (buffer.length < length) {
      freeNow(buffer)
      buffer = new Uint8Array(length)
    }
    const stretch = buffer.subarray(0, length).fill(0)
    for (const [name, place] of layout) {
      const [from, to] = [place.offset - offset, place.offset + place.length - offset]
      if (to <= 0 || from >= length) continue
      if (from >= 0 && to <= length && from % 4 === 0) write(name, stretch.subarray(from, to))
      else {
        const whole = new Uint8Array(place.length)
        write(name, whole)
        stretch.set(whole.subarray(Math.max(0, -from), length - from), Math.max(0, from))
        freeNow(whole)
      }
    }
    return stretch
  }
  return {
    part,
    partsDone() {
      freeNow(buffer)
      buffer = new Uint8Array(0)
    },
  }
}
