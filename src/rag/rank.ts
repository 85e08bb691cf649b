/**
 * @module A search by words, and by meaning beside it where an embedder is configured, over whatever holds the words and
 * the vectors.
 */
import type { Embedder } from "./embedder.ts"
import { fused } from "./fusion.ts"
import type { Passage } from "./retriever.ts"
import { nameTerms, searchTerms } from "./search-terms.ts"

/** A piece that was found, by its number. */
export interface Scored extends Pick<Passage, "score" | "relevance"> {
  readonly seq: number
}

/** A piece and how near it is. */
export interface Near {
  readonly seq: number
  /** Cosine with what was asked. */
  readonly cosine: number
}

/** What ranks the pieces of one collection, those alone that a filter lets through. */
export interface Rankings {
  /** By BM25, best first. @param terms at least one */
  byWords(terms: readonly string[], limit: number): readonly { readonly seq: number; readonly score: number }[]
  /** How much of what is asked for pieces hold, from 0 to 1. @param names those of the terms that are names */
  relevance(terms: readonly string[], names: ReadonlySet<string>, pieces: readonly number[]): readonly number[]
  /** By cosine, nearest first. */
  byMeaning(vector: Float32Array, limit: number): readonly Near[]
}

/** Pieces of each ranking that are put together. */
const FUSED = 50

/** The best pieces for a query. @param embedder null to search by words alone */
export async function rank(
  { query, limit }: { readonly query: string; readonly limit: number },
  rankings: Rankings,
  embedder: Embedder | null,
  signal?: AbortSignal,
): Promise<Scored[]> {
  const terms = searchTerms(query)
  const relevanceOf = (pieces: readonly number[]): readonly number[] =>
    terms.length === 0 ? pieces.map(() => 0) : rankings.relevance(terms, nameTerms(query), pieces)
  // Before anything is read: what changes meanwhile must not come between two looks.
  const [asked] = embedder ? await embedder.embed([query], signal) : []
  const worded = terms.length === 0 ? [] : rankings.byWords(terms, embedder ? FUSED : limit)
  if (!embedder) {
    const relevance = relevanceOf(worded.map(({ seq }) => seq))
    return worded.map((each, i) => ({ ...each, relevance: relevance[i]! }))
  }
  const near = rankings.byMeaning(asked!, FUSED)
  const cosines = new Map(near.map(({ seq, cosine }) => [seq, cosine]))
  const best = fused([worded.map(({ seq }) => seq), near.map(({ seq }) => seq)]).slice(0, limit)
  const relevance = relevanceOf(best.map(({ item }) => item))
  return best.map(({ item, score }, i) => ({
    seq: item,
    score,
    relevance: Math.max(relevance[i]!, embedder.relevance(cosines.get(item) ?? 0)),
  }))
}
