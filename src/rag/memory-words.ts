/**
 * @module The words of one collection's pieces in memory, ranked by BM25 as FTS5 does it: the same words, stems and
 * parameters, so that both indexes find the same.
 */
import MiniSearch from "minisearch"
import { termWeight } from "./relevance-weight.ts"
import { wordsOf } from "./search-terms.ts"
import { stem } from "./stem.ts"

/** A piece's words. */
export interface WordedPiece {
  readonly seq: number
  /** Its document's title, its headings and itself. */
  readonly words: string
}

/** An inverted index. */
export interface MemoryWords {
  add(piece: WordedPiece): void
  /** @param piece as it was added */
  remove(piece: WordedPiece): void
  /** Everything that has one of these words. */
  find(terms: readonly string[]): FoundWords
}

/** What a search by words has found. */
export interface FoundWords {
  /** Best first. @param isMeant the pieces to rank */
  ranked(limit: number, isMeant: (seq: number) => boolean): readonly { readonly seq: number; readonly score: number }[]
  /** From 0 to 1, see `relevance.ts`. */
  relevance(names: ReadonlySet<string>, pieces: readonly number[]): number[]
}

/** An empty one. */
export function memoryWords(): MemoryWords {
  const index = new MiniSearch<WordedPiece>({
    idField: "seq",
    fields: ["words"],
    tokenize: wordsOf,
    processTerm: stem,
    searchOptions: { combineWith: "OR", prefix: false, fuzzy: false, bm25: { k: 1.2, b: 0.75, d: 0 } },
    autoVacuum: false,
  })
  return {
    add: (piece) => index.add(piece),
    remove: (piece) => index.remove(piece),
    find(terms) {
      const found = index.search(terms.join(" ")).map(({ id, score, queryTerms, terms: stems }) => ({
        seq: Number(id),
        // The library favours pieces that have many of the words once more, which BM25 does not.
        score: score / queryTerms.length,
        stems,
      }))
      found.sort((a, b) => b.score - a.score || a.seq - b.seq)
      return {
        ranked: (limit, isMeant) => found.filter(({ seq }) => isMeant(seq)).slice(0, limit),
        relevance(names, pieces) {
          const bySeq = new Map(found.map(({ seq, stems }) => [seq, stems]))
          const counts = new Map<string, number>()
          for (const { stems } of found) for (const each of stems) counts.set(each, (counts.get(each) ?? 0) + 1)
          const weights = terms.map((term) => {
            const root = stem(term)
            return { root, weight: termWeight(counts.get(root) ?? 0, names.has(term)) }
          })
          const all = weights.reduce((sum, { weight }) => sum + weight, 0)
          return pieces.map((piece) => {
            const stems = bySeq.get(piece) ?? []
            return weights.reduce((sum, { root, weight }) => sum + (stems.includes(root) ? weight : 0), 0) / all
          })
        },
      }
    },
  }
}
