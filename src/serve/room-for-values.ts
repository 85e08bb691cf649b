/**
 * @module Memory for values that are computed one after the other and kept together.
 */

/** Gives room for so many values, all zero. */
export type Room = (values: number) => Float32Array

/** A piece of memory for each. */
export const apart: Room = (values) => new Float32Array(values)

/** One piece of memory for as many values as were foreseen; what has no room there is given a piece of its own. */
export function together(foreseen: number): Room {
  const piece = new Float32Array(foreseen)
  let taken = 0
  return (values) => {
    if (taken + values > piece.length) return apart(values)
    taken += values
    return piece.subarray(taken - values, taken)
  }
}
