/**
 * @module Reciprocal rank fusion: several rankings as one, by places alone, so that scores of different kinds need not be
 * compared. Source: Cormack, Clarke and Buettcher 2009, https://doi.org/10.1145/1571941.1572114.
 */

/** How little the first places stand out; the paper's. */
const K = 60

/** Every item of the rankings with its score, best first. */
export function fused(rankings: readonly (readonly number[])[]): { readonly item: number; readonly score: number }[] {
  const scores = new Map<number, number>()
  for (const ranking of rankings)
    for (const [place, item] of ranking.entries()) scores.set(item, (scores.get(item) ?? 0) + 1 / (K + place + 1))
  return [...scores].map(([item, score]) => ({ item, score })).sort((a, b) => b.score - a.score)
}
