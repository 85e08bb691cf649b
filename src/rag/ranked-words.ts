/**
 * @module The best pieces by BM25 without ranking every piece that has a common word: pieces with a rare word come first,
 * and the others are looked at only if they could still get among the best. What is found is what a plain search finds.
 *
 * Source: Turtle and Flood 1995, "Query evaluation: strategies and optimizations" (MaxScore).
 */
import type { Database } from "../store/database.ts"
import type { Filter } from "./filter.ts"
import { filterSql } from "./filter-sql.ts"

/** Which pieces are ranked. */
export interface WordSearch {
  /** The collection's word, which its pieces have; null if there is no other collection. */
  readonly scope: string | null
  /** At least one; letters and digits alone. */
  readonly terms: readonly string[]
  readonly filter: Filter | undefined
  readonly limit: number
  /** Words of so many pieces are rare. @default {1000} */
  readonly few?: number
}

/** A piece and how well it fits. */
export interface RankedPiece {
  readonly seq: number
  readonly score: number
}

/** What a word can add to a score is below this many times its inverse document frequency: k1 + 1. */
const MOST_OF_A_WORD = 2.2

/** FTS5's expression for pieces that have one of these words. */
export const anyOf = (terms: readonly string[]): string =>
  `{title body} : (${terms.map((term) => `"${term}"`).join(" OR ")})`

/** The best pieces, best first. */
export function rankedWords(database: Database, search: WordSearch): RankedPiece[] {
  const { scope, terms, limit, few = 4000 } = search
  const within = (expression: string): string => (scope === null ? expression : `scope : "${scope}" AND ${expression}`)
  const plain = (): RankedPiece[] => matched(database, within(anyOf(terms)), search)
  const counted = terms
    .map((term) => ({ term, pieces: countOf(database, term) }))
    .filter(({ pieces }) => pieces > 0)
    .sort((a, b) => a.pieces - b.pieces)
  if (counted.length === 0) return []
  const isRare = ({ pieces }: { readonly pieces: number }): boolean => pieces <= few
  if (counted.every(isRare)) return plain()
  const all = Number(database.get("SELECT max(seq) AS n FROM chunks")?.["n"] ?? 0)
  for (let rare = Math.max(1, counted.filter(isRare).length); rare < counted.length; rare++) {
    const names = counted.map(({ term }) => term)
    const [first, rest] = [anyOf(names.slice(0, rare)), anyOf(names.slice(rare))]
    // Every word is one of the expression's, so that scores are those of the plain search.
    const found = [
      ...matched(database, `${within(first)} AND ${rest}`, search),
      ...matched(database, `(${within(first)}) NOT ${rest}`, search),
    ]
    const best = found.sort((a, b) => b.score - a.score).slice(0, limit)
    const reachable = counted.slice(rare).reduce((sum, { pieces }) => sum + MOST_OF_A_WORD * idf(all, pieces), 0)
    if (best.length === limit && best[limit - 1]!.score >= reachable) return best
  }
  return plain()
}

/** As FTS5 has it: never below a millionth. @param all pieces, or more */
const idf = (all: number, pieces: number): number => Math.max(1e-6, Math.log((all - pieces + 0.5) / (pieces + 0.5)))

const countOf = (database: Database, term: string): number =>
  Number(database.get("SELECT count(*) AS n FROM words WHERE words MATCH ?", anyOf([term]))!["n"])

function matched(database: Database, expression: string, { filter, limit }: WordSearch): RankedPiece[] {
  const condition = filter && filterSql(filter)
  const joins = "JOIN chunks ON chunks.seq = words.rowid JOIN documents ON documents.seq = chunks.document"
  return database
    .all(
      `SELECT words.rowid AS seq, words.rank AS rank FROM words ${condition ? joins : ""} WHERE words MATCH ?
       ${condition ? `AND ${condition.sql}` : ""} ORDER BY words.rank LIMIT ?`,
      ...[expression, ...(condition?.values ?? []), limit],
    )
    .map((row) => ({ seq: Number(row["seq"]), score: -Number(row["rank"]) }))
}
