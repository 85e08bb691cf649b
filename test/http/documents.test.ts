/**
 * @module /v1/rag over HTTP: documents come and go, searches find passages, tenants have their own.
 */
import { afterEach, beforeEach, describe, expect, test } from "bun:test"
import { createHash } from "node:crypto"
import { readKeyring } from "../../src/service/keyring.ts"
import { type TemporaryIndex, temporaryIndex } from "../support/document-index.ts"
import { createFakeApp, type FakeApp } from "../support/fake-app.ts"

let temporary: TemporaryIndex
let app: FakeApp
beforeEach(async () => {
  temporary = await temporaryIndex()
  app = await createFakeApp({ documents: temporary.index, maxFileBytes: 2000 })
})
afterEach(() => temporary.remove())

/** What answers may hold. */
interface Body {
  readonly data: readonly {
    readonly id: string
    readonly change: string
    readonly document_id: string
    readonly text: string
  }[]
  readonly has_more: boolean
  readonly error: { readonly param: string; readonly message: string }
}
const json = async (response: Response | Promise<Response>) => (await response).json() as Promise<Body>
const tal = { id: "notes/tal.md", title: "Tal", text: "The mayor of Tal is Mira Voss.", metadata: { year: 2024 } }
const ost = { id: "ost", title: "Ost", text: "The Ost is a long river by Tal." }
const add = (documents: readonly object[], more: object = {}) => app.post("/v1/rag/documents", { documents, ...more })

test("documents are added, found, shown and deleted", async () => {
  const added = await json(add([tal, ost]))
  expect(added.data.map((each) => [each.id, each.change])).toEqual([
    ["notes/tal.md", "added"],
    ["ost", "added"],
  ])
  expect((await json(add([tal]))).data[0]!.change).toBe("unchanged")
  const found = await json(app.post("/v1/rag/search", { query: "Who is the mayor of Tal?" }))
  expect(found.data.map((each) => each.document_id)).toEqual(["notes/tal.md", "ost"])
  expect(found.data[0]).toMatchObject({
    object: "rag.passage",
    relevance: expect.any(Number),
    title: "Tal",
    chunk: 0,
    start: 0,
    end: 30,
    text: tal.text,
  })
  const filtered = await json(app.post("/v1/rag/search", { query: "Tal", filter: { year: 2024 }, limit: 5 }))
  expect(filtered.data.length).toBe(1)
  expect(await json(app.get("/v1/rag/documents/notes/tal.md"))).toMatchObject({
    object: "rag.document",
    text: tal.text,
  })
  const list = await json(app.get("/v1/rag/documents?limit=1"))
  expect([list.data.length, list.has_more]).toEqual([1, true])
  expect((await json(app.get("/v1/rag/documents?after=notes/tal.md"))).data[0]!.id).toBe("ost")
  expect(await json(app.send("/v1/rag/documents/notes/tal.md", { method: "DELETE" }))).toMatchObject({
    id: "notes/tal.md",
    object: "rag.document",
    deleted: true,
  })
  expect((await app.get("/v1/rag/documents/notes/tal.md")).status).toBe(404)
  expect((await json(app.post("/v1/rag/search", { query: "mayor" }))).data).toEqual([])
})

test("documents that are sent again with their key are answered as they were", async () => {
  const headers = { "idempotency-key": "k" }
  const send = (documents: readonly object[]) => app.post("/v1/rag/documents", { documents }, headers)
  const first = await json(send([tal]))
  expect(first.data[0]!.change).toBe("added")
  await app.send("/v1/rag/documents/notes/tal.md", { method: "DELETE" })
  expect(await json(send([tal]))).toEqual(first)
  expect((await app.get("/v1/rag/documents/notes/tal.md")).status).toBe(404)
  expect((await send([ost])).status).toBe(409)
  const form = () => {
    const data = new FormData()
    data.set("file", new File(["Words of Ost."], "ost.txt"))
    return app.send("/v1/rag/documents", { method: "POST", body: data, headers: { "idempotency-key": "f" } })
  }
  expect(await json(form())).toEqual(await json(form()))
})

test("conditions on metadata go with a search", async () => {
  await add([tal, { ...ost, metadata: { year: 1999 } }])
  const search = async (more: object) =>
    (await json(app.post("/v1/rag/search", { query: "Tal", limit: 5, ...more }))).data.map((each) => each.document_id)
  expect(await search({ filters: { type: "lt", key: "year", value: 2000 } })).toEqual(["ost"])
  expect(await search({ filters: { type: "gt", key: "year", value: 1 }, filter: { year: 2024 } })).toEqual([
    "notes/tal.md",
  ])
  const deep = { type: "and", filters: [{ type: "or", filters: [{ type: "and", filters: [] }] }] }
  expect((await app.post("/v1/rag/search", { query: "Tal", filters: deep })).status).toBe(400)
})

test("a file is taken in as what its name says", async () => {
  const form = new FormData()
  form.set("collection", "pages")
  form.set("file", new File(["# Tal\n\nIts mayor is *Mira* Voss."], "tal.md"))
  const added = await json(app.send("/v1/rag/documents", { method: "POST", body: form }))
  expect(added.data[0]).toMatchObject({ id: "tal.md", title: "Tal", collection: "pages", change: "added" })
  const found = await json(app.post("/v1/rag/search", { query: "mayor", collection: "pages" }))
  expect(found.data[0]!.text).toContain("Its mayor is Mira Voss.")
  const large = new FormData()
  large.set("file", new File(["x".repeat(3000)], "large.txt"))
  expect((await app.send("/v1/rag/documents", { method: "POST", body: large })).status).toBe(413)
  const none = new FormData()
  none.set("collection", "pages")
  expect((await json(app.send("/v1/rag/documents", { method: "POST", body: none }))).error.param).toBe("file")
})

describe("what is wrong is refused by name", () => {
  const cases: readonly (readonly [string, object, string])[] = [
    ["/v1/rag/documents", { documents: [] }, "documents"],
    ["/v1/rag/documents", { documents: [{ text: "" }] }, "documents.0.text"],
    ["/v1/rag/documents", { documents: [{ text: "a", format: "pdf" }] }, "documents.0.format"],
    ["/v1/rag/documents", { documents: [{ text: "a", metadata: { a: [1] } }] }, "documents.0.metadata"],
    ["/v1/rag/documents", { documents: [tal], collection: "" }, "collection"],
    ["/v1/rag/search", { query: "" }, "query"],
    ["/v1/rag/search", { query: "a", limit: 51 }, "limit"],
    ["/v1/rag/search", { query: "a", filter: [] }, "filter"],
  ]
  for (const [path, body, param] of cases)
    test(`${path} ${JSON.stringify(body)}`, async () => {
      await add([tal])
      const response = await app.post(path, body)
      expect([response.status, (await json(response)).error.param]).toEqual([400, param])
    })

  test("a collection that is not there", async () => {
    const response = await app.post("/v1/rag/search", { query: "a", collection: "plants" })
    expect([response.status, (await json(response)).error.param]).toEqual([404, "collection"])
  })

  test("a server without documents says so", async () => {
    const bare = await createFakeApp()
    const response = await bare.post("/v1/rag/search", { query: "a" })
    expect([response.status, (await json(response)).error.message]).toEqual([
      400,
      expect.stringContaining("This server keeps no documents"),
    ])
  })
})

test("a tenant's documents are its own", async () => {
  const entry = (name: string) => ({
    name,
    sha256: createHash("sha256").update(`sk-${name}`).digest("hex"),
    scopes: ["infer", "train"] as const,
    tenant: name,
  })
  const keyring = readKeyring({ keys: [entry("red"), entry("blue")] })
  app = await createFakeApp({ documents: temporary.index, keyring })
  const as = (name: string) => ({ authorization: `Bearer sk-${name}` })
  await app.post("/v1/rag/documents", { documents: [tal] }, as("red"))
  await app.post("/v1/rag/documents", { documents: [{ ...tal, text: "The mayor of Tal is Otto." }] }, as("blue"))
  for (const [name, mayor] of [
    ["red", "Mira Voss"],
    ["blue", "Otto"],
  ] as const) {
    const found = await json(app.post("/v1/rag/search", { query: "mayor of Tal", limit: 50 }, as(name)))
    expect(found.data.map((each) => each.text)).toEqual([`The mayor of Tal is ${mayor}.`])
    expect((await json(app.get("/v1/rag/documents", as(name)))).data.length).toBe(1)
  }
})
