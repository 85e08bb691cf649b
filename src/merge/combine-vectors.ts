/**
 * @module Changes of one vector, such as a bias, merged as each method merges weights.
 */
import { rng } from "../core/rng.ts"
import { frobenius } from "../linalg/matrix.ts"
import { combine, isElementwise, slerpWeights } from "./combine.ts"
import type { Recipe } from "./recipe.ts"
import type { MergeSource } from "./source.ts"

/**
 * The merged change [size].
 * @param place where the vector stands: what is dropped at random is drawn for it
 * @param changes in the order of the sources, one of them at least; null where one leaves the vector alone
 */
export function combineVectors(
  place: string,
  sources: readonly MergeSource[],
  changes: readonly (Float64Array | null)[],
  { method, density = 0.5, seed = 0 }: Recipe,
): Float64Array {
  const present = changes.flatMap((change, i) => (change ? [{ values: change, source: sources[i]! }] : []))
  if (isElementwise(method)) {
    const parts = present.map(({ values, source: { name, weight } }) => ({
      values,
      weight,
      random: rng(seed, `merge:${name}:${place}`),
    }))
    return combine(method, parts, density)
  }
  const weights = method === "slerp" ? arc(sources, changes) : sources.map(({ weight }) => weight)
  const sum = new Float64Array(present[0]!.values.length)
  for (const [k, change] of changes.entries())
    if (change) for (let i = 0; i < sum.length; i++) sum[i]! += weights[k]! * change[i]!
  return sum
}

function arc(sources: readonly MergeSource[], changes: readonly (Float64Array | null)[]): [number, number] {
  const [x, y] = changes as [Float64Array | null, Float64Array | null]
  const dot = x && y ? x.reduce((sum, value, i) => sum + value * y[i]!, 0) : 0
  return slerpWeights(dot, [x ? frobenius(x) : 0, y ? frobenius(y) : 0], [sources[0]!.weight, sources[1]!.weight])
}
