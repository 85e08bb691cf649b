/**
 * @module /v1/vector_stores through the official `openai` client: create, fill, search, change, delete.
 */
import { afterEach, beforeEach, describe, expect, test } from "bun:test"
import OpenAI, { APIError, BadRequestError, ConflictError, NotFoundError, toFile } from "openai"
import { serveBun } from "../../src/entry/http-bun.ts"
import { type TemporaryIndex, temporaryIndex } from "../support/document-index.ts"
import { createFakeApp } from "../support/fake-app.ts"
import { type TemporaryStore, temporaryStore } from "../support/job-store.ts"

let documents: TemporaryIndex
let store: TemporaryStore
let server: Awaited<ReturnType<typeof serveBun>>
let client: OpenAI
beforeEach(async () => {
  documents = await temporaryIndex()
  store = await temporaryStore()
  const app = await createFakeApp({ documents: documents.index, store: store.store })
  server = await serveBun(app.fetch, "127.0.0.1", 0)
  client = new OpenAI({ apiKey: "none", baseURL: `http://127.0.0.1:${server.port}/v1`, maxRetries: 0 })
})
afterEach(async () => {
  server.kill()
  await documents.remove()
  await store.remove()
})

const upload = async (name: string, text: string): Promise<string> =>
  (await client.files.create({ file: await toFile(new TextEncoder().encode(text), name), purpose: "assistants" })).id

test("a vector store is filled from uploaded files, searched and deleted", async () => {
  const tal = await upload("tal.md", "# Tal\n\nThe mayor of Tal is *Mira* Voss.")
  const ost = await upload("ost.txt", "The Ost is a long river by Tal.")
  const made = await client.vectorStores.create({ name: "towns", file_ids: [tal], metadata: { kind: "x" } })
  expect(made).toMatchObject({ object: "vector_store", name: "towns", status: "completed", metadata: { kind: "x" } })
  expect(made.file_counts).toEqual({ in_progress: 0, completed: 1, failed: 0, cancelled: 0, total: 1 })

  const file = await client.vectorStores.files.createAndPoll(made.id, { file_id: ost, attributes: { wet: true } })
  expect(file).toMatchObject({ id: ost, object: "vector_store.file", status: "completed", attributes: { wet: true } })
  expect((await client.vectorStores.files.list(made.id)).data.map(({ id }) => id)).toEqual([ost, tal])
  expect((await client.vectorStores.retrieve(made.id)).file_counts.total).toBe(2)

  const found = await client.vectorStores.search(made.id, { query: "Who is the mayor of Tal?" })
  expect(found.data.map(({ filename }) => filename)).toEqual(["tal.md", "ost.txt"])
  expect(found.data[0]!.content[0]!.text).toContain("The mayor of Tal is Mira Voss.")
  expect(found.data[0]!.score).toBeGreaterThan(found.data[1]!.score)
  const wet = { type: "eq", key: "wet", value: true } as const
  for (const filters of [wet, { type: "and" as const, filters: [wet] }])
    expect(
      (await client.vectorStores.search(made.id, { query: "Tal", filters })).data.map((each) => each.file_id),
    ).toEqual([ost])
  const sure = { query: "mayor of Tal", ranking_options: { score_threshold: 0.9 } }
  expect((await client.vectorStores.search(made.id, sure)).data.length).toBe(1)

  const changed = await client.vectorStores.update(made.id, { name: "places" })
  expect([changed.name, changed.metadata]).toEqual(["places", { kind: "x" }])
  expect(await client.vectorStores.files.delete(ost, { vector_store_id: made.id })).toMatchObject({
    id: ost,
    deleted: true,
  })
  expect((await client.vectorStores.search(made.id, { query: "river" })).data).toEqual([])
  expect(await client.vectorStores.delete(made.id)).toMatchObject({ object: "vector_store.deleted", deleted: true })
  expect((await client.vectorStores.list()).data).toEqual([])
})

const ids = (entries: readonly { readonly id: string }[]): string[] => entries.map(({ id }) => id)

test("lists come in pages, in either order, from either end", async () => {
  const names = ["a", "b", "c", "d", "e"]
  const files: string[] = []
  for (const name of names) files.push(await upload(`${name}.txt`, `Words of ${name}.`))
  const store = await client.vectorStores.create({ file_ids: files })
  const stores = [store.id]
  for (const name of names.slice(1)) stores.push((await client.vectorStores.create({ name })).id)
  const lists = [
    { all: stores, list: (page: object) => client.vectorStores.list(page) },
    { all: files, list: (page: object) => client.vectorStores.files.list(store.id, page) },
  ]
  for (const { all, list } of lists) {
    const walked: string[] = []
    for await (const { id } of list({ limit: 2 })) walked.push(id)
    expect(walked).toEqual(all.toReversed())
    const some = async (page: object): Promise<[string[], boolean]> => {
      const { data, has_more } = (await list(page)) as unknown as { data: { id: string }[]; has_more: boolean }
      return [ids(data), has_more]
    }
    expect(await some({ order: "asc", limit: 2 })).toEqual([all.slice(0, 2), true])
    expect(await some({ order: "asc", after: all[2], limit: 5 })).toEqual([all.slice(3), false])
    expect(await some({ order: "asc", before: all[3], limit: 2 })).toEqual([all.slice(1, 3), true])
    expect(await some({ order: "desc", before: all[3], limit: 2 })).toEqual([[all[4]!], false])
    expect(await some({ order: "asc", after: all[0], before: all[3] })).toEqual([all.slice(1, 3), false])
    const error = await some({ after: "none" }).catch((thrown: unknown) => thrown)
    expect((error as BadRequestError).param).toBe("after")
  }
  expect((await client.vectorStores.files.list(store.id, { filter: "failed" })).data).toEqual([])
})

test("a batch of files is added whole, and is there to be asked about", async () => {
  const [tal, ost] = [await upload("tal.txt", "Tal is a town."), await upload("ost.txt", "Ost is a river.")]
  const { id } = await client.vectorStores.create({})
  const batch = await client.vectorStores.fileBatches.createAndPoll(id, {
    file_ids: [tal, ost],
    attributes: { kind: "x" },
  })
  expect(batch).toMatchObject({ object: "vector_store.files_batch", status: "completed", vector_store_id: id })
  expect(batch.file_counts).toEqual({ in_progress: 0, completed: 2, failed: 0, cancelled: 0, total: 2 })
  const listed = await client.vectorStores.fileBatches.listFiles(batch.id, { vector_store_id: id, order: "asc" })
  expect(listed.data.map((file) => [file.id, file.attributes])).toEqual([
    [tal, { kind: "x" }],
    [ost, { kind: "x" }],
  ])
  const uploaded = await client.vectorStores.fileBatches.uploadAndPoll(id, {
    files: [await toFile(new TextEncoder().encode("Lak is a lake."), "lak.txt")],
  })
  expect(uploaded.file_counts.completed).toBe(1)
  expect((await client.vectorStores.search(id, { query: "lake" })).data[0]!.filename).toBe("lak.txt")

  const bad = await upload("picture.bin", "x")
  for (const wrong of [
    { file_ids: [tal, bad] },
    { files: [{ file_id: "file-none" }] },
    {},
    { file_ids: [tal], files: [] },
  ])
    expect(
      await client.vectorStores.fileBatches.create(id, wrong as never).catch((thrown: unknown) => thrown),
    ).toBeInstanceOf(APIError)
  expect((await client.vectorStores.retrieve(id)).file_counts.total).toBe(3)
  const cancelled = client.vectorStores.fileBatches.cancel(batch.id, { vector_store_id: id })
  expect(await cancelled.catch((thrown: unknown) => thrown)).toBeInstanceOf(ConflictError)
  await client.vectorStores.delete(id)
  const other = await client.vectorStores.create({})
  const gone = client.vectorStores.fileBatches.retrieve(batch.id, { vector_store_id: other.id })
  expect(await gone.catch((thrown: unknown) => thrown)).toBeInstanceOf(NotFoundError)
})

test("attributes change, and are compared in every way that clients know", async () => {
  const files = await Promise.all([1, 2, 3].map((page) => upload(`${page}.txt`, `A river, page ${page}.`)))
  const { id } = await client.vectorStores.create({})
  for (const [i, file_id] of files.entries())
    await client.vectorStores.files.create(id, { file_id, attributes: { page: i + 1, kind: i === 1 ? "b" : "a" } })
  const found = async (filters: object) =>
    (await client.vectorStores.search(id, { query: "river", filters: filters as never })).data
      .map((each) => files.indexOf(each.file_id) + 1)
      .sort()
  const page = (type: string, value: unknown) => ({ type, key: "page", value })
  expect(await found(page("ne", 2))).toEqual([1, 3])
  expect(await found(page("gt", 1))).toEqual([2, 3])
  expect(await found(page("gte", 3))).toEqual([3])
  expect(await found(page("lt", 2))).toEqual([1])
  expect(await found(page("lte", 2))).toEqual([1, 2])
  expect(await found(page("in", [1, 3]))).toEqual([1, 3])
  expect(await found(page("nin", [1, 3]))).toEqual([2])
  const kindA = { type: "eq", key: "kind", value: "a" }
  expect(
    await found({ type: "or", filters: [page("eq", 2), { type: "and", filters: [kindA, page("gt", 1)] }] }),
  ).toEqual([2, 3])
  const changed = await client.vectorStores.files.update(files[0]!, { vector_store_id: id, attributes: { page: 9 } })
  expect(changed).toMatchObject({ id: files[0], attributes: { page: 9 } })
  expect(await found(page("gt", 3))).toEqual([1])
  const { data } = await client.vectorStores.files.content(files[0]!, { vector_store_id: id })
  expect(data).toEqual([{ type: "text", text: "A river, page 1." }])
})

test("a creation that is sent again with its key is answered as it was, and is not made twice", async () => {
  const tal = await upload("tal.txt", "Tal is a town.")
  const keyed = (key: string) => ({ headers: { "Idempotency-Key": key } })
  const first = await client.vectorStores.create({ name: "a", file_ids: [tal] }, keyed("k"))
  // Even if what it was made of is gone meanwhile.
  await client.files.delete(tal)
  expect(await client.vectorStores.create({ name: "a", file_ids: [tal] }, keyed("k"))).toEqual(first)
  expect((await client.vectorStores.list()).data.length).toBe(1)
  const other = client.vectorStores.create({ name: "b" }, keyed("k"))
  expect(await other.catch((thrown: unknown) => thrown)).toBeInstanceOf(ConflictError)
  const ost = await upload("ost.txt", "Ost is a river.")
  const batch = await client.vectorStores.fileBatches.create(first.id, { file_ids: [ost] }, keyed("k"))
  expect(await client.vectorStores.fileBatches.create(first.id, { file_ids: [ost] }, keyed("k"))).toEqual(batch)
  const file = await client.vectorStores.files.create(first.id, { file_id: ost }, keyed("k"))
  await client.vectorStores.files.delete(ost, { vector_store_id: first.id })
  expect(await client.vectorStores.files.create(first.id, { file_id: ost }, keyed("k"))).toEqual(file)
  expect((await client.vectorStores.retrieve(first.id)).file_counts.total).toBe(1)
})

describe("what is wrong", () => {
  test("names what is not there", async () => {
    const { id } = await client.vectorStores.create({})
    const missing: readonly (() => Promise<unknown>)[] = [
      async () => client.vectorStores.retrieve("vs_none"),
      async () => client.vectorStores.search("vs_none", { query: "a" }),
      async () => client.vectorStores.files.create(id, { file_id: "file-none" }),
      async () => client.vectorStores.files.retrieve("file-none", { vector_store_id: id }),
      async () => client.vectorStores.create({ file_ids: ["file-none"] }),
    ]
    for (const each of missing) expect(await each().catch((error: unknown) => error)).toBeInstanceOf(NotFoundError)
    expect((await client.vectorStores.list()).data.length).toBe(1)
  })

  test("is refused by its field", async () => {
    const { id } = await client.vectorStores.create({})
    const wrong: readonly (readonly [object, string])[] = [
      [{ query: "" }, "query"],
      [{ query: "a", max_num_results: 51 }, "max_num_results"],
      [{ query: "a", filters: { type: "like", key: "a", value: 1 } }, "filters.type"],
      [{ query: "a", rewrite_query: true }, "rewrite_query"],
    ]
    for (const [body, param] of wrong) {
      const error = await client.vectorStores.search(id, body as never).catch((thrown: unknown) => thrown)
      expect(error).toBeInstanceOf(BadRequestError)
      expect((error as BadRequestError).param).toBe(param)
    }
  })

  test("what would not be done is not passed over", async () => {
    const expires_after = { anchor: "last_active_at", days: 1 } as const
    const error = await client.vectorStores.create({ expires_after }).catch((thrown: unknown) => thrown)
    expect((error as BadRequestError).param).toBe("expires_after")
  })

  test("a file that can't be read leaves no store behind", async () => {
    const file = await upload("picture.bin", "x")
    const error = await client.vectorStores.create({ file_ids: [file] }).catch((thrown: unknown) => thrown)
    expect((error as Error).message).toContain('"picture.bin" is of no kind that can be read')
    expect((await client.vectorStores.list()).data).toEqual([])
  })
})

test("a file that is to be searched is not trained on", async () => {
  const file = await upload("a.txt", "words")
  expect((await client.files.list({ purpose: "assistants" })).data.map(({ id }) => id)).toEqual([file])
})
