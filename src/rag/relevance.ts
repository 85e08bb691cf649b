/**
 * @module How much of what a question asks for stands in a piece: its words, weighted by the square of
 * how rare they are among the collection's pieces, as in the cosine of tf-idf vectors (Salton and Buckley 1988).
 */
import type { Database } from "../store/database.ts"

/** The word that stands for a collection. */
export const scopeWord = (collection: number): string => `collection${collection}`

/** FTS5's expression for pieces of a collection with one of these words. Words are letters and digits alone. */
export const wordsMatch = (collection: number, terms: readonly string[]): string =>
  `scope : "${scopeWord(collection)}" AND {title body} : (${terms.map((term) => `"${term}"`).join(" OR ")})`

/** Beyond this many pieces a word is common, however many more there are: counting them all would take longer than the search. */
const COMMON = 1000

/**
 * What a word that is no name counts for, and one that stands in no piece at all, being of the question's own making: parts
 * of a name's weight. What is asked about is a name more often than not, and other words have synonyms.
 */
const [PLAIN, UNHEARD] = [0.25, 0.1]

/**
 * The relevance of pieces, from 0 to 1.
 * @param terms the question's words, at least one
 * @param names those of them that are names
 * @param pieces by their numbers in the database
 */
export function relevanceOf(
  database: Database,
  collection: number,
  terms: readonly string[],
  names: ReadonlySet<string>,
  pieces: readonly number[],
): number[] {
  if (pieces.length === 0) return []
  const held = new Map(pieces.map((piece) => [piece, 0]))
  let all = 0
  for (const term of terms) {
    const match = wordsMatch(collection, [term])
    const rows = database.get(
      "SELECT count(*) AS n FROM (SELECT 1 FROM words WHERE words MATCH ? LIMIT ?)",
      ...[match, COMMON],
    )
    const count = Number(rows!["n"])
    const weight = Math.log(1 + COMMON / (count + 0.5)) ** 2 * (names.has(term) ? 1 : count > 0 ? PLAIN : UNHEARD)
    all += weight
    for (const piece of pieces) {
      const found = database.get("SELECT rowid AS seq FROM words WHERE words MATCH ? AND rowid = ?", match, piece)
      if (found) held.set(piece, held.get(piece)! + weight)
    }
  }
  return pieces.map((piece) => held.get(piece)! / all)
}
