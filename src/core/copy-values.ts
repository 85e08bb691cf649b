/**
 * @module Values from one array to another.
 */

/** As many values are quicker copied one by one than through a view, and leave none to the collector. */
const MOST_BY_ONE = 64

/** Copies `count` values of one array, from one of them on, to another one's from one on. The two share no memory. */
export function copyValues(source: Float32Array, from: number, count: number, target: Float32Array, to: number): void {
  if (count > MOST_BY_ONE) target.set(source.subarray(from, from + count), to)
  else for (let i = 0; i < count; i++) target[to + i] = source[from + i]!
}
