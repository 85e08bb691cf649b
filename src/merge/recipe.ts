/**
 * @module What a merge is told: which method, how much may be lost, and what each method is for.
 */
import { EspalierError } from "../core/errors.ts"

/** Every merging method and one line about it. */
export const mergeMethods = {
  linear: "the true weighted sum; of low-rank updates in no more ranks than it needs",
  cat: "low-rank updates side by side: exact, ranks add; prompts and prefixes one after the other",
  svd: "the nearest low-rank update to the true weighted sum, by --rank or --error",
  ties: "the largest parts of each, signs put to the vote (TIES)",
  dare: "random parts of each, scaled up (DARE)",
  "dare-ties": "random parts of each, scaled up, signs put to the vote",
  magnitude: "the largest parts of each",
  slerp: "two adapters along an arc instead of a line",
  product: "vectors that scale, multiplied, weights as powers",
} as const

/** The name of a merging method. */
export type MergeMethod = keyof typeof mergeMethods

/** What a merge is told. */
export interface Recipe {
  readonly method: MergeMethod
  /** Rank of each layer at most. @default the method's own: see `lowrankLimits` */
  readonly rank?: number
  /** |lost| / |wanted| at most, in Frobenius norms: the least rank that keeps to it is taken. */
  readonly error?: number
  /** The part of each adapter's elements that is kept, by ties, dare, dare-ties, magnitude. @default {0.5} */
  readonly density?: number
  /** Decides what dare keeps. @default {0} */
  readonly seed?: number
}

/** @throws {EspalierError} `invalid_request` naming the setting */
export function checkRecipe({ rank, error, density }: Recipe): void {
  const wrong = (param: string, expected: string, found: number) =>
    new EspalierError("invalid_request", `Expected ${param} to be ${expected} but found ${found}`, { param })
  if (rank !== undefined && !(Number.isInteger(rank) && rank >= 1)) throw wrong("rank", "a whole number above 0", rank)
  if (error !== undefined && !(error >= 0 && error < 1)) throw wrong("error", "at least 0 and below 1", error)
  if (density !== undefined && !(density > 0 && density <= 1)) throw wrong("density", "above 0 and at most 1", density)
}
