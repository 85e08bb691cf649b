/**
 * @module What every index of documents does, on disk and in memory.
 */
import { afterEach, beforeEach, describe, expect, test } from "bun:test"
import { readFileSync } from "node:fs"
import { join } from "node:path"
import { rng } from "../../../src/core/rng.ts"
import type { DocumentIndex } from "../../../src/rag/document-index.ts"
import { equalTo } from "../../../src/rag/filter.ts"
import { memoryIndex } from "../../../src/rag/memory-index.ts"
import { readDocuments } from "../../../src/rag/readers/read.ts"
import type { Passage } from "../../../src/rag/retriever.ts"
import { temporaryIndex, testIndexOptions } from "../../support/document-index.ts"
import { root } from "../../support/source-tree.ts"

const kinds: Readonly<Record<string, () => Promise<{ index: DocumentIndex; remove(): Promise<void> }>>> = {
  "in SQLite": () => temporaryIndex(16),
  "in memory": async () => ({ index: memoryIndex(testIndexOptions(16)), remove: async () => {} }),
}

const titles = (passages: readonly Passage[]): string[] => passages.map(({ title }) => title)

describe.each(Object.keys(kinds))("an index of documents %s", (kind) => {
  let opened: Awaited<ReturnType<(typeof kinds)[string]>>
  let index: DocumentIndex
  beforeEach(async () => {
    opened = await kinds[kind]!()
    index = opened.index
  })
  afterEach(() => opened.remove())

  const add = (collection: string, title: string, text: string, metadata = {}) =>
    index.put(collection, { id: title, title, text, metadata })

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
      titles(await index.search({ collection: id, query: "river", limit: 2, filter: equalTo(filter) }))
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
    expect(index.collections("")).toEqual([])
  })

  test("several are added at once or none", async () => {
    const { id } = index.createCollection("", "default")
    const documents = ["a", "b"].map((title) => ({ id: title, title, text: "Plain words.", metadata: {} }))
    await expect(index.putAll(id, [...documents, { id: "c", title: "c", text: " ", metadata: {} }])).rejects.toThrow(
      "has no text",
    )
    expect(index.documents(id)).toEqual([])
    expect((await index.putAll(id, documents)).map(({ change }) => change)).toEqual(["added", "added"])
    await expect(index.putAll("vs_none", documents)).rejects.toThrow('There is no collection "vs_none"')
  })

  test("a key is answered once, and only by the same body", () => {
    const make = (bodySha256: string, key?: string) =>
      index.once({ owner: "", scope: "collection", key, bodySha256 }, () => ({
        id: index.createCollection("", "kept").id,
      }))
    const first = make("a", "k1")
    expect(make("a", "k1")).toEqual(first)
    expect(make("a", "k2")).not.toEqual(first)
    expect(make("a")).not.toEqual(make("a"))
    expect(() => make("b", "k1")).toThrow("This Idempotency-Key was sent before with another body")
    expect(index.collections("").length).toBe(4)
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

  test("pages of a list", async () => {
    const { id } = index.createCollection("", "default")
    for (const title of ["a", "b", "c"]) await add(id, title, "Words.")
    expect(index.documents(id, { limit: 2 }).map((each) => each.id)).toEqual(["a", "b"])
    expect(index.documents(id, { after: "b" }).map((each) => each.id)).toEqual(["c"])
    expect(() => index.documents(id, { after: "x" })).toThrow("Expected `after` to be the id of an entry")
  })

  test("pages may begin at either end", async () => {
    const { id } = index.createCollection("", "default")
    for (const title of ["a", "b", "c", "d"]) await add(id, title, "Words.")
    const page = (given: Parameters<DocumentIndex["documents"]>[1]) =>
      index
        .documents(id, given)
        .map((each) => each.id)
        .join("")
    expect(page({ order: "desc", limit: 3 })).toBe("dcb")
    expect(page({ order: "desc", after: "c" })).toBe("ba")
    expect(page({ before: "d", limit: 2 })).toBe("bc")
    expect(page({ order: "desc", before: "a", limit: 2 })).toBe("cb")
    expect(page({ after: "a", before: "d" })).toBe("bc")
    expect(() => page({ before: "x" })).toThrow("Expected `before` to be the id of an entry")
  })

  test("what was added together is known by it, in its collection alone", () => {
    const [one, other] = ["one", "other"].map((name) => index.createCollection("", name).id)
    const batch = index.addBatch(one!, ["a", "b"])
    expect(batch).toEqual({ id: expect.stringMatching(/^vsfb_/), createdAt: 1000, documents: ["a", "b"] })
    expect([index.batch(one!, batch.id), index.batch(other!, batch.id)]).toEqual([batch, null])
  })

  test("a document without text is refused", async () => {
    const { id } = index.createCollection("", "default")
    await expect(add(id, "empty", " \n")).rejects.toThrow('The document "empty" has no text')
  })

  test("the bundled questions are answered by their documents", async () => {
    const folder = join(root, "models", "sprig", "retrieval")
    const read = (name: string) => readFileSync(join(folder, name))
    const { id } = index.createCollection("", "notes")
    await index.putAll(id, await readDocuments(read("heldout.documents.jsonl"), { name: "heldout.documents.jsonl" }))
    const questions = read("heldout.questions.jsonl")
      .toString()
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line) as { document: string | null; messages: { content: string }[] })
      .filter(({ document }) => document !== null)
    let found = 0
    for (const { document, messages } of questions) {
      const passages = await index.search({ collection: id, query: messages[0]!.content, limit: 3 })
      if (passages.some(({ documentId }) => documentId === document)) found++
    }
    expect(questions.length).toBeGreaterThan(400)
    expect(found / questions.length).toBeGreaterThan(0.95)
  })
})

test("both indexes find the same, as relevant, and in the same order where the words differ", async () => {
  const random = rng(1, "both indexes")
  const words = Array.from({ length: 60 }, (_, i) => `${random.pick(["run", "hop", "bak"])}${"aeiou"[i % 5]}${i}`)
  const text = (): string =>
    Array.from({ length: 4 + random.below(10) }, () => words[Math.floor(words.length * random.next() ** 2)]!).join(" ")
  const temporary = await temporaryIndex(40)
  const memory = memoryIndex(testIndexOptions(40))
  try {
    const both: readonly DocumentIndex[] = [temporary.index, memory]
    const ids = both.map((index) => index.createCollection("", "a").id)
    const documents = Array.from({ length: 200 }, (_, i) => {
      return { id: `d${i}`, title: `Rivers ${i}`, text: text(), metadata: { half: i % 2 } }
    })
    for (const [each, index] of both.entries()) await index.putAll(ids[each]!, documents)
    let same = 0
    for (let i = 0; i < 300; i++) {
      const query = `${random.pick(words)} ${random.pick(words)} River${i % 3 === 0 ? "" : "s"} ${random.below(200)}`
      const filter = i % 4 === 0 ? equalTo({ half: i % 2 }) : undefined
      const [disk, ram] = await Promise.all(
        both.map((index, each) => index.search({ collection: ids[each]!, query, limit: 50, filter })),
      )
      const facts = (passages: readonly Passage[]) =>
        passages.map(({ documentId, relevance }) => `${documentId} ${relevance.toFixed(9)}`).sort()
      if (disk!.length < 50) expect(facts(ram!)).toEqual(facts(disk!))
      else expect(ram!.length).toBe(50)
      if (disk![0]!.documentId === ram![0]!.documentId) same++
    }
    // Document lengths are counted with the words' repetitions in one, without in the other.
    expect(same).toBeGreaterThan(270)
  } finally {
    await temporary.remove()
  }
}, 60_000)
