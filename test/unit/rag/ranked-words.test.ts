/**
 * @module The best pieces without ranking all: the same that a plain search finds, with the same scores.
 */
import { afterAll, beforeAll, expect, test } from "bun:test"
import { rng } from "../../../src/core/rng.ts"
import { equalTo } from "../../../src/rag/filter.ts"
import { type RankedPiece, rankedWords } from "../../../src/rag/ranked-words.ts"
import type { Database } from "../../../src/store/database.ts"
import { type TemporaryIndex, temporaryIndex } from "../../support/document-index.ts"

const random = rng(1, "ranked words")
/** The n-th word comes with a weight of 1 / n. */
const word = (): string => `w${Math.floor(200 ** random.next())}`

let temporary: TemporaryIndex
beforeAll(async () => {
  temporary = await temporaryIndex(60)
  for (const name of ["one", "other"]) {
    const { id } = temporary.index.createCollection("", name)
    const documents = Array.from({ length: 400 }, (_, i) => {
      const text = Array.from({ length: 3 + random.below(40) }, word).join(" ")
      return { id: `${i}`, title: word(), text, metadata: { third: i % 3 } }
    })
    await temporary.index.putAll(id, documents)
  }
})
afterAll(() => temporary.remove())

const scores = (found: readonly RankedPiece[]): string[] => found.map(({ score }) => score.toFixed(9))

test("are those of a plain search, in a collection and in all, with a filter and without", () => {
  const { database } = temporary.index
  let queries = 0
  const count: Database = {
    ...database,
    all(...given) {
      queries++
      return database.all(...given)
    },
  }
  let shortened = 0
  for (let i = 0; i < 1000; i++) {
    const terms = [...new Set([word(), word(), word(), "absent"].slice(random.below(3)))]
    const scope = random.pick([null, "collection1", "collection2"])
    const filter = random.next() < 0.3 ? equalTo({ third: 1 }) : undefined
    const search = { scope, terms, filter, limit: 1 + random.below(5) }
    const plain = rankedWords(database, { ...search, few: Number.POSITIVE_INFINITY })
    queries = 0
    const found = rankedWords(count, { ...search, few: 20 })
    if (queries === 2) shortened++
    expect({ search, found: scores(found) }).toEqual({ search, found: scores(plain) })
    if (scope !== null)
      for (const { seq } of found) {
        const row = database.get(
          "SELECT documents.collection AS c FROM chunks JOIN documents ON documents.seq = chunks.document WHERE chunks.seq = ?",
          seq,
        )
        expect(`collection${row!["c"]}`).toBe(scope)
      }
  }
  // It would be right and useless if it always looked at everything in the end.
  expect(shortened).toBeGreaterThan(100)
}, 60_000)
