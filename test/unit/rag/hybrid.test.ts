import { afterEach, beforeEach, describe, expect, test } from "bun:test"
import { rng } from "../../../src/core/rng.ts"
import type { DocumentIndex } from "../../../src/rag/document-index.ts"
import { type Embedder, unit } from "../../../src/rag/embedder.ts"
import type { Filter } from "../../../src/rag/filter.ts"
import { fused } from "../../../src/rag/fusion.ts"
import { memoryIndex } from "../../../src/rag/memory-index.ts"
import { addVector, VectorTable } from "../../../src/rag/vector-table.ts"
import { type TemporaryIndex, temporaryIndex, testIndexOptions } from "../../support/document-index.ts"

let temporary: TemporaryIndex
afterEach(() => temporary?.remove())

/** Two meanings: of water, and of work. */
const meanings = [
  ["river", "stream", "lake", "sea"],
  ["job", "trade", "work", "baker"],
]
const byMeaning: Embedder = {
  name: "meanings",
  dimensions: 3,
  embed: async (texts) =>
    texts.map((text) => unit([...meanings.map((words) => words.filter((word) => text.includes(word)).length), 0.1])),
  relevance: (cosine) => (cosine > 0.9 ? cosine : 0),
}

const kinds: Readonly<Record<string, () => Promise<{ index: DocumentIndex; remove(): Promise<void> }>>> = {
  "in SQLite": () => temporaryIndex(60, byMeaning),
  "in memory": async () => ({ index: memoryIndex(testIndexOptions(60, byMeaning)), remove: async () => {} }),
}

describe.each(Object.keys(kinds))("searching by words and by meaning %s", (kind) => {
  let opened: Awaited<ReturnType<(typeof kinds)[string]>>
  let index: DocumentIndex
  beforeEach(async () => {
    opened = await kinds[kind]!()
    index = opened.index
  })
  afterEach(() => opened.remove())

  test("finds what is said in other words, and keeps what is said in the same", async () => {
    const { id } = index.createCollection("", "default")
    const add = (title: string, text: string, metadata = {}) => index.put(id, { id: title, title, text, metadata })
    await add("wet", "A long stream runs here.", { kind: "x" })
    await add("busy", "Mira is a baker.")
    await add("name", "Zandor is far.")
    const titles = async (query: string, filter?: Filter) =>
      (await index.search({ collection: id, query, limit: 2, filter })).map(({ title }) => title)
    expect((await titles("Which river?"))[0]).toBe("wet")
    expect((await titles("What is her trade?"))[0]).toBe("busy")
    expect((await titles("Zandor"))[0]).toBe("name")
    expect(await titles("Which trade?", { type: "eq", key: "kind", value: "x" })).toEqual(["wet"])
    const [found] = await index.search({ collection: id, query: "Which river?", limit: 1 })
    expect(found!.relevance).toBeGreaterThan(0.9)
  })

  test("a replaced document is found by its new meaning alone, and another collection's never", async () => {
    const [one, other] = ["one", "other"].map((name) => index.createCollection("", name).id) as [string, string]
    await index.put(one, { id: "a", title: "a", text: "A stream.", metadata: {} })
    await index.put(other, { id: "b", title: "b", text: "A lake.", metadata: {} })
    const search = async (query: string) =>
      (await index.search({ collection: one, query, limit: 5 })).map(({ text }) => text)
    expect(await search("sea")).toEqual(["A stream."])
    await index.put(one, { id: "a", title: "a", text: "A trade.", metadata: {} })
    expect(await search("sea")).toEqual(["A trade."])
    index.remove(one, "a")
    expect(await search("sea")).toEqual([])
  })
})

describe("vectors in SQLite", () => {
  test("go with their pieces", async () => {
    temporary = await temporaryIndex(60, byMeaning)
    const { index } = temporary
    const vectors = (): unknown => index.database.get("SELECT count(*) AS n FROM vectors")!["n"]
    const { id } = index.createCollection("", "one")
    for (const text of ["A stream.", "A trade."]) await index.put(id, { id: "a", title: "a", text, metadata: {} })
    expect(vectors()).toBe(1)
    index.remove(id, "a")
    expect(vectors()).toBe(0)
  })

  test("what was added without vectors is found by its words", async () => {
    temporary = await temporaryIndex()
    const { id } = temporary.index.createCollection("", "default")
    await temporary.index.put(id, { id: "a", title: "a", text: "A stream.", metadata: {} })
    const later = await temporary.again(byMeaning)
    expect((await later.search({ collection: id, query: "stream", limit: 3 })).length).toBe(1)
    expect(await later.search({ collection: id, query: "river", limit: 3 })).toEqual([])
  })
})

test("the nearest vectors are those of a plain sort", async () => {
  temporary = await temporaryIndex()
  const random = rng(1, "vectors")
  const { database } = temporary.index
  const vectors = Array.from({ length: 300 }, () => unit(Array.from({ length: 8 }, () => random.normal())))
  for (const [i, vector] of vectors.entries()) addVector(database, { seq: i + 1, collection: 1, embedder: "e", vector })
  const table = new VectorTable(database, "e", 8)
  const query = unit(Array.from({ length: 8 }, () => random.normal()))
  const cosine = (vector: Float32Array): number => vector.reduce((sum, x, i) => sum + x * query[i]!, 0)
  const sorted = vectors
    .map((vector, i) => ({ seq: i + 1, cosine: cosine(vector) }))
    .sort((a, b) => b.cosine - a.cosine)
  expect(table.nearest(1, query, 10).map(({ seq }) => seq)).toEqual(sorted.slice(0, 10).map(({ seq }) => seq))
  const only = new Set([3, 5, 8])
  expect(table.nearest(1, query, 10, only).map(({ seq }) => seq)).toEqual(
    sorted.filter(({ seq }) => only.has(seq)).map(({ seq }) => seq),
  )
  expect(table.nearest(2, query, 10)).toEqual([])
})

test("rankings are put together by places", () => {
  expect(
    fused([
      [1, 2, 3],
      [3, 4],
    ]).map(({ item }) => item),
  ).toEqual([3, 1, 2, 4])
  expect(fused([[7]])[0]!.score).toBeCloseTo(1 / 61, 12)
})
