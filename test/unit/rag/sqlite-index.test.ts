/**
 * @module What is particular to the index in a database: it lasts, several have it open, and nothing is left in its tables.
 */
import { afterEach, beforeEach, describe, expect, test } from "bun:test"
import type { Passage } from "../../../src/rag/retriever.ts"
import type { SqliteIndex } from "../../../src/rag/sqlite-index.ts"
import { type TemporaryIndex, temporaryIndex } from "../../support/document-index.ts"

let temporary: TemporaryIndex
let index: SqliteIndex
beforeEach(async () => {
  temporary = await temporaryIndex(16)
  index = temporary.index
})
afterEach(() => temporary.remove())

const add = (collection: string, title: string, text: string) =>
  index.put(collection, { id: title, title, text, metadata: {} })
const titles = (passages: readonly Passage[]): string[] => passages.map(({ title }) => title)
const rows = (table: string): unknown => index.database.get(`SELECT count(*) AS n FROM ${table}`)!["n"]

describe("an index in SQLite", () => {
  test("what was added is there when it is opened again, by two at once too", async () => {
    const { id } = index.createCollection("", "default")
    const other = await temporary.again()
    await add(id, "a", "Plain words.")
    expect(titles(await other.search({ collection: id, query: "plain", limit: 3 }))).toEqual(["a"])
    other.close()
    index.close()
    const later = await temporary.again()
    expect(titles(await later.search({ collection: id, query: "plain", limit: 3 }))).toEqual(["a"])
  })

  test("nothing is left of what was replaced or removed", async () => {
    const { id } = index.createCollection("", "default")
    await add(id, "a", "Mira Voss bakes bread.")
    await add(id, "a", "Otto Lind mends clocks.")
    expect(["documents", "chunks", "words"].map(rows)).toEqual([1, 1, 1])
    index.removeCollection("", id)
    expect(["documents", "chunks", "words"].map(rows)).toEqual([0, 0, 0])
  })

  test("a key is known when the index is opened again", async () => {
    const make = (of: SqliteIndex) =>
      of.once({ owner: "", scope: "collection", key: "k", bodySha256: "a" }, () => ({
        id: of.createCollection("", "kept").id,
      }))
    const first = make(index)
    index.close()
    const later = await temporary.again()
    expect(make(later)).toEqual(first)
    expect(later.collections("").length).toBe(1)
  })

  test("what fails half-way leaves neither a collection nor a key", () => {
    const creation = { owner: "", scope: "collection", key: "k", bodySha256: "a" }
    expect(() =>
      index.once(creation, () => {
        index.createCollection("", "half")
        throw new Error("stop")
      }),
    ).toThrow("stop")
    expect(index.collections("")).toEqual([])
    expect(index.once(creation, () => "again")).toBe("again")
  })
})
