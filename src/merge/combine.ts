/**
 * @module Merging element by element: what becomes of the same weight's change in several adapters.
 *
 * Sources: TIES, Yadav et al. 2023, https://arxiv.org/abs/2306.01708; DARE, Yu et al. 2023,
 * https://arxiv.org/abs/2311.03099; the order of steps and the disjoint mean as PEFT's `utils/merge_utils.py` has them, on
 * true deltas (its `ties_svd`, `dare_linear_svd`, ...), not on factors.
 */
import type { Rng } from "../core/rng.ts"
import type { MergeMethod } from "./recipe.ts"

/** Methods that look at single elements. */
export const elementwise = ["ties", "dare", "dare-ties", "magnitude"] as const satisfies readonly MergeMethod[]
/** A method that looks at single elements. */
export type Elementwise = (typeof elementwise)[number]
/** Whether a method is one. */
export const isElementwise = (method: MergeMethod): method is Elementwise =>
  (elementwise as readonly MergeMethod[]).includes(method)

/** One adapter's change of a weight, flat. */
export interface Part {
  readonly values: Float64Array
  readonly weight: number
  /** Random numbers of this adapter at this weight. */
  readonly random: Rng
}

/** The merged change, flat. @param density the part of elements that are kept, above 0 and at most 1 */
export function combine(method: Elementwise, parts: readonly Part[], density: number): Float64Array {
  const byChance = method === "dare" || method === "dare-ties"
  const pruned = parts.map(({ values, random }) =>
    byChance ? dropAtRandom(values, density, random) : keepLargest(values, density),
  )
  const weights = parts.map(({ weight }) => weight)
  return method === "ties" || method === "dare-ties" ? disjointMean(pruned, weights) : sum(pruned, weights)
}

/** The floor(density n) elements of largest magnitude, the others zero; among equals the first. */
export function keepLargest(values: Float64Array, density: number): Float64Array {
  const count = Math.floor(density * values.length)
  if (count >= values.length) return values
  const out = new Float64Array(values.length)
  if (count === 0) return out
  const least = nthSmallest(values.map(Math.abs), values.length - count)
  let equal = count
  for (const value of values) if (Math.abs(value) > least) equal--
  for (let i = 0; i < values.length; i++) {
    const size = Math.abs(values[i]!)
    if (size > least || (size === least && equal-- > 0)) out[i] = values[i]!
  }
  return out
}

/**
 * The element that would stand at `nth` if they were sorted, by Hoare's selection; they end in another order.
 * @param nth 0-based
 */
function nthSmallest(values: Float64Array, nth: number): number {
  let [low, high] = [0, values.length - 1]
  while (low < high) {
    const pivot = middleOf(values[low]!, values[(low + high) >>> 1]!, values[high]!)
    let [i, j] = [low, high]
    while (i <= j) {
      while (values[i]! < pivot) i++
      while (values[j]! > pivot) j--
      if (i > j) break
      const held = values[i]!
      values[i++] = values[j]!
      values[j--] = held
    }
    if (nth <= j) high = j
    else if (nth >= i) low = i
    else break
  }
  return values[nth]!
}

const middleOf = (a: number, b: number, c: number): number => Math.max(Math.min(a, b), Math.min(Math.max(a, b), c))

/** Each element with probability `density`, divided by it, so that the mean stays. */
function dropAtRandom(values: Float64Array, density: number, random: Rng): Float64Array {
  if (density >= 1) return values
  return values.map((value) => (random.next() < density ? value / density : 0))
}

function sum(all: readonly Float64Array[], weights: readonly number[]): Float64Array {
  const out = new Float64Array(all[0]!.length)
  for (const [k, values] of all.entries()) {
    const weight = weights[k]!
    for (let i = 0; i < out.length; i++) out[i]! += weight * values[i]!
  }
  return out
}

/**
 * The mean over the adapters whose sign is the elected one, which is that of the sum before weighting; a sum of zero
 * counts as positive, as in PEFT.
 */
function disjointMean(all: readonly Float64Array[], weights: readonly number[]): Float64Array {
  const votes = sum(all, new Array<number>(all.length).fill(1))
  const out = new Float64Array(votes.length)
  const counts = new Uint32Array(votes.length)
  for (const [k, values] of all.entries()) {
    const weight = weights[k]!
    for (let i = 0; i < out.length; i++) {
      const value = values[i]!
      if (votes[i]! >= 0 ? value <= 0 : value >= 0) continue
      out[i]! += weight * value
      counts[i]!++
    }
  }
  for (let i = 0; i < out.length; i++) if (counts[i]! > 1) out[i]! /= counts[i]!
  return out
}

/** Below this sine an arc is taken for a line. */
const STRAIGHT = 1e-6

/**
 * Factors of two changes on the arc between them (Shoemake 1985), the second's share being its part of the weights. Both
 * keep their own length; changes that are parallel, or zero, are mixed along a line.
 * @param dot, lengths the inner product and the norms
 */
export function slerpWeights(
  dot: number,
  lengths: readonly [number, number],
  weights: readonly [number, number],
): [number, number] {
  const t = weights[1] / (weights[0] + weights[1])
  const cosine = lengths[0] * lengths[1] === 0 ? 1 : Math.min(1, Math.max(-1, dot / (lengths[0] * lengths[1])))
  const angle = Math.acos(cosine)
  if (Math.sin(angle) < STRAIGHT) return [1 - t, t]
  return [Math.sin((1 - t) * angle) / Math.sin(angle), Math.sin(t * angle) / Math.sin(angle)]
}
