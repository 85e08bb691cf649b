/**
 * @module What low-rank forms add to a weight, the plain way: the slow oracle for merging.
 */
import type { Form } from "../../src/forms/form.ts"

/** The sum of weight * scale * B A over all forms of each adapter, by layer, flat [out, in]. */
export function denseDeltas(
  adapters: readonly { readonly forms: readonly Form[]; readonly weight: number }[],
): Map<string, Float64Array> {
  const sums = new Map<string, Float64Array>()
  for (const { forms, weight } of adapters)
    for (const form of forms) {
      if (form.form !== "lowrank") throw new TypeError(`Expected low-rank forms only but found ${form.form}`)
      const { path, a, b, scale } = form
      const [rank, columns] = a.shape as [number, number]
      const rows = b.shape[0]!
      const sum = sums.get(path) ?? new Float64Array(rows * columns)
      for (let i = 0; i < rows; i++)
        for (let j = 0; j < columns; j++)
          for (let k = 0; k < rank; k++)
            sum[i * columns + j]! += weight * scale * b.data[i * rank + k]! * a.data[k * columns + j]!
      sums.set(path, sum)
    }
  return sums
}

/** |found - wanted| / |wanted| over all layers. */
export function relativeError(
  found: ReadonlyMap<string, Float64Array>,
  wanted: ReadonlyMap<string, Float64Array>,
): number {
  let [difference, whole] = [0, 0]
  for (const path of new Set([...found.keys(), ...wanted.keys()])) {
    const [x, y] = [found.get(path), wanted.get(path)]
    const length = (x ?? y)!.length
    for (let i = 0; i < length; i++) {
      difference += ((x?.[i] ?? 0) - (y?.[i] ?? 0)) ** 2
      whole += (y?.[i] ?? 0) ** 2
    }
  }
  return Math.sqrt(difference / whole)
}
