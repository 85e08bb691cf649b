import { afterEach, beforeEach, describe, expect, test } from "bun:test"
import { rng } from "../../../src/core/rng.ts"
import type { DocumentIndex } from "../../../src/rag/document-index.ts"
import type { Passage } from "../../../src/rag/retriever.ts"
import { type TemporaryIndex, temporaryIndex } from "../../support/document-index.ts"

let temporary: TemporaryIndex
let index: DocumentIndex
beforeEach(async () => {
  temporary = await temporaryIndex(16)
  index = temporary.index
})
afterEach(() => temporary.remove())

const add = (collection: string, title: string, text: string, metadata = {}) =>
  index.put(collection, { id: title, title, text, metadata })
const titles = (passages: readonly Passage[]): string[] => passages.map(({ title }) => title)

describe("an index of documents", () => {
  test("finds the passage that says it, best first", async () => {
    const { id } = index.createCollection("", "default")
    await add(id, "Tal", "Tal lies by the river Ost. Its mayor is Mira Voss.")
    await add(id, "Ost", "The Ost is a long river. Many towns lie by it.")
    await add(id, "Bread", "Bread is made of flour.")
    const found = await index.search({ collection: id, query: "Who is the mayor of Tal?", limit: 3 })
    expect(titles(found)).toEqual(["Tal"])
    const [first] = found as [Passage]
    expect(first.text).toBe("Tal lies by the river Ost. Its mayor is Mira Voss.")
    expect([first.chunk, first.start, first.end, first.documentId, first.collection]).toEqual([0, 0, 50, "Tal", id])
    expect(first.score).toBeGreaterThan(0)
    expect(titles(await index.search({ collection: id, query: "long rivers", limit: 3 }))[0]).toBe("Ost")
    expect(await index.search({ collection: id, query: "quantum", limit: 3 })).toEqual([])
  })

  test("the same document again changes nothing, another of its id replaces it whole", async () => {
    const { id } = index.createCollection("", "default")
    const first = await add(id, "a", "Mira Voss bakes bread.", { kind: "note", page: 1 })
    expect(first.change).toBe("added")
    const again = await add(id, "a", "Mira Voss bakes bread.", { page: 1, kind: "note" })
    expect(again).toEqual({ ...first, change: "unchanged" })
    expect((await add(id, "a", "Otto Lind mends clocks.")).change).toBe("replaced")
    expect(await index.search({ collection: id, query: "Mira bread", limit: 3 })).toEqual([])
    expect(titles(await index.search({ collection: id, query: "Otto", limit: 3 }))).toEqual(["a"])
    expect(index.documents(id).map(({ sha256 }) => sha256).length).toBe(1)
    expect(index.database.get("SELECT count(*) AS n FROM chunks")!["n"]).toBe(1)
  })

  test("without an id the content is the name", async () => {
    const { id } = index.createCollection("", "default")
    const document = { title: "t", text: "Some words.", metadata: {} }
    const { document: one } = await index.put(id, document)
    expect(one.id).toMatch(/^doc-[0-9a-f]{24}$/)
    expect((await index.put(id, document)).change).toBe("unchanged")
  })

  test("a long text is cut, found by its pieces, and given back as it was", async () => {
    const { id } = index.createCollection("", "default")
    const text = Array.from({ length: 40 }, (_, i) => `Room ${i} holds item${i * 7}.`).join(" ")
    const { document } = await add(id, "long", text)
    expect(document.chunks).toBeGreaterThan(8)
    const [found] = await index.search({ collection: id, query: "item84", limit: 1 })
    expect(found!.text).toContain("Room 12 holds item84.")
    expect(text.slice(found!.start, found!.end)).toBe(found!.text)
    expect(index.text(id, "long")).toBe(text)
  })

  test("metadata is looked at before the ranking, and its types are told apart", async () => {
    const { id } = index.createCollection("", "default")
    for (let i = 0; i < 20; i++) await add(id, `d${i}`, "A river.", { year: i, old: i < 10, 'a"b': `${i}` })
    const found = async (filter: Record<string, string | number | boolean>) =>
      titles(await index.search({ collection: id, query: "river", limit: 2, filter }))
    expect(await found({ year: 17 })).toEqual(["d17"])
    expect(await found({ year: 17, old: true })).toEqual([])
    expect(await found({ year: "17" })).toEqual([])
    expect(await found({ 'a"b': "3" })).toEqual(["d3"])
    expect((await found({ old: true })).length).toBe(2)
  })

  test("collections never mix, whatever is asked of them", async () => {
    const words = Array.from({ length: 30 }, (_, i) => `word${i}`)
    const random = rng(1, "collections")
    const ids = ["one", "two", "three"].map((name) => index.createCollection("", name).id)
    for (let i = 0; i < 60; i++) {
      const text = Array.from({ length: 6 }, () => random.pick(words)).join(" ")
      await add(ids[i % 3]!, `d${i}`, text)
    }
    for (let i = 0; i < 500; i++) {
      const collection = random.pick(ids)
      const query = `${random.pick(words)} ${random.pick(words)} collection1 collection2 scope`
      for (const passage of await index.search({ collection, query, limit: 50 })) {
        expect(passage.collection).toBe(collection)
        expect(Number(passage.documentId.slice(1)) % 3).toBe(ids.indexOf(collection))
      }
    }
  })

  test("any text may be asked for", async () => {
    const { id } = index.createCollection("", "default")
    await add(id, "a", "Plain words.")
    for (const query of ['"', "a AND", "NEAR(", "scope:collection1", "* ^ -", "\0", "😀", "'; DROP TABLE words", "{x}"])
      await index.search({ collection: id, query, limit: 3 })
    expect(titles(await index.search({ collection: id, query: 'plain "', limit: 3 }))).toEqual(["a"])
  })

  test("a document that is removed is not found, nor is anything of a removed collection", async () => {
    const { id } = index.createCollection("", "default")
    await add(id, "a", "Plain words.")
    await add(id, "b", "Plain speech.")
    expect(index.remove(id, "a")).toBe(true)
    expect(index.remove(id, "a")).toBe(false)
    expect(titles(await index.search({ collection: id, query: "plain", limit: 3 }))).toEqual(["b"])
    expect(index.removeCollection("", id)).toBe(true)
    await expect(index.search({ collection: id, query: "plain", limit: 3 })).rejects.toThrow("There is no collection")
    for (const table of ["documents", "chunks", "words"])
      expect(index.database.get(`SELECT count(*) AS n FROM ${table}`)!["n"]).toBe(0)
  })

  test("names are an owner's own", () => {
    const one = index.createCollection("acme", "notes")
    const other = index.createCollection("umbra", "notes", { kind: "x" })
    expect(index.collection("acme", "notes")!.id).toBe(one.id)
    expect(index.collection("acme", other.id)).toBeNull()
    expect(index.collections("umbra")).toEqual([{ ...other, ...index.collection("umbra", "notes")! }])
    // The oldest of a name is meant by it.
    index.createCollection("acme", "notes")
    expect(index.collection("acme", "notes")!.id).toBe(one.id)
    index.changeCollection(one.id, { name: "papers", metadata: { kind: "y" } })
    expect(index.collection("acme", "papers")).toMatchObject({ id: one.id, metadata: { kind: "y" } })
  })

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

  test("pages of a list", async () => {
    const { id } = index.createCollection("", "default")
    for (const title of ["a", "b", "c"]) await add(id, title, "Words.")
    expect(index.documents(id, { limit: 2 }).map((each) => each.id)).toEqual(["a", "b"])
    expect(index.documents(id, { after: "b" }).map((each) => each.id)).toEqual(["c"])
    expect(() => index.documents(id, { after: "x" })).toThrow("Expected `after` to be the id of a document")
  })

  test("a document without text is refused", async () => {
    const { id } = index.createCollection("", "default")
    await expect(add(id, "empty", " \n")).rejects.toThrow('The document "empty" has no text')
  })
})
