/**
 * @module How much of what a question asks for stands in a piece: its words, weighted by the square of
 * how rare they are among the collection's pieces, as in the cosine of tf-idf vectors (Salton and Buckley 1988).
 */
import type { Database } from "../store/database.ts"
import { anyOf } from "./ranked-words.ts"
import { COMMON, termWeight } from "./relevance-weight.ts"

/** The word that stands for a collection. */
export const scopeWord = (collection: number): string => `collection${collection}`

/**
 * The relevance of pieces, from 0 to 1.
 * @param scope the collection's word, which its pieces have; null if there is no other collection
 * @param terms the question's words, at least one
 * @param names those of them that are names
 * @param pieces by their numbers in the database
 */
export function relevanceOf(
  database: Database,
  scope: string | null,
  terms: readonly string[],
  names: ReadonlySet<string>,
  pieces: readonly number[],
): number[] {
  if (pieces.length === 0) return []
  const held = new Map(pieces.map((piece) => [piece, 0]))
  let all = 0
  for (const term of terms) {
    const match = scope === null ? anyOf([term]) : `scope : "${scope}" AND ${anyOf([term])}`
    const rows = database.get(
      "SELECT count(*) AS n FROM (SELECT 1 FROM words WHERE words MATCH ? LIMIT ?)",
      ...[match, COMMON],
    )
    const count = Number(rows!["n"])
    const weight = termWeight(count, names.has(term))
    all += weight
    for (const piece of pieces) {
      const found = database.get("SELECT rowid AS seq FROM words WHERE words MATCH ? AND rowid = ?", match, piece)
      if (found) held.set(piece, held.get(piece)! + weight)
    }
  }
  return pieces.map((piece) => held.get(piece)! / all)
}
