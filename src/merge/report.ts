/**
 * @module How far a merge is from what it should be. The true weighted sum of the adapters' changes is the reference,
 * whatever the method; norms are Frobenius norms over all layers together.
 */
import { type Delta, distanceOf, normOf, sumOf } from "./delta.ts"

/** One layer of a merge. */
export interface LayerReport {
  readonly path: string
  /** Rank as written; null where there is none. */
  readonly rank: number | null
  /** |merged - true sum| / |true sum| here. */
  readonly error: number
}

/** A merge in numbers. */
export interface MergeReport {
  /** |merged - true sum| / |true sum|. */
  readonly error: number
  /** |merged - what the method asks for| / |what it asks for|: what was lost by cutting the rank. */
  readonly cut: number
  /** For each adapter |merged - its own change| / |its own change|: 0 where the merge is that adapter. */
  readonly sources: readonly { readonly name: string; readonly weight: number; readonly distance: number }[]
  readonly layers: readonly LayerReport[]
}

/** One layer's changes, as they are gathered. */
export interface LayerChange {
  readonly path: string
  readonly rank: number | null
  /** As written. */
  readonly merged: Delta
  /** What the method asks for, at full rank. */
  readonly wanted: Delta
  /** The adapters' own, in the order of the sources; null where one leaves this layer alone. */
  readonly sources: readonly (Delta | null)[]
}

/** The quotient, 0 where both are 0. */
const quotient = (part: number, whole: number): number => (part === 0 ? 0 : part / whole)

/** Gathers layers one by one, so that no more than one of them is in memory. */
export function reportBuilder(sources: readonly { readonly name: string; readonly weight: number }[]) {
  const layers: LayerReport[] = []
  const total = { error: 0, sum: 0, cut: 0, wanted: 0 }
  const own = sources.map(() => ({ distance: 0, length: 0 }))
  return {
    add({ path, rank, merged, wanted, sources: deltas }: LayerChange): void {
      const terms = deltas.flatMap((delta, i) => (delta ? [{ delta, weight: sources[i]!.weight }] : []))
      const sum = sumOf(terms)
      const [error, whole] = [distanceOf(merged, sum), normOf(sum)]
      layers.push({ path, rank, error: quotient(error, whole) })
      total.error += error ** 2
      total.sum += whole ** 2
      total.cut += distanceOf(merged, wanted) ** 2
      total.wanted += normOf(wanted) ** 2
      for (const [i, delta] of deltas.entries()) {
        own[i]!.distance += (delta ? distanceOf(merged, delta) : normOf(merged)) ** 2
        own[i]!.length += delta ? normOf(delta) ** 2 : 0
      }
    },
    finish: (): MergeReport => ({
      error: quotient(Math.sqrt(total.error), Math.sqrt(total.sum)),
      cut: quotient(Math.sqrt(total.cut), Math.sqrt(total.wanted)),
      sources: sources.map(({ name, weight }, i) => ({
        name,
        weight,
        distance: quotient(Math.sqrt(own[i]!.distance), Math.sqrt(own[i]!.length)),
      })),
      layers,
    }),
  }
}
