/**
 * @module /v1/vector_stores through the official `openai` client: create, fill, search, change, delete.
 */
import { afterEach, beforeEach, describe, expect, test } from "bun:test"
import OpenAI, { BadRequestError, NotFoundError, toFile } from "openai"
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
  expect((await client.vectorStores.files.list(made.id)).data.map(({ id }) => id)).toEqual([tal, ost])
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
