/**
 * @module /v1/files through the official `openai` client and by hand: upload, list, look, download, delete.
 */
import { afterAll, describe, expect, test } from "bun:test"
import { readdirSync } from "node:fs"
import { join } from "node:path"
import OpenAI, { BadRequestError, ConflictError, NotFoundError, toFile } from "openai"
import { serveBun } from "../../src/entry/http-bun.ts"
import { serveNode } from "../../src/entry/http-node.ts"
import { createFakeApp, type FakeAppOptions } from "../support/fake-app.ts"
import { rowOf, type TemporaryStore, temporaryStore } from "../support/job-store.ts"

const closers: (() => unknown)[] = []
afterAll(async () => {
  for (const close of closers.reverse()) await close()
})

async function listen(serve = serveBun, options: FakeAppOptions = {}) {
  const temporary = await temporaryStore()
  const app = await createFakeApp({ store: temporary.store, ...options })
  const server = await serve(app.fetch, "127.0.0.1", 0)
  closers.push(
    () => temporary.remove(),
    () => server.kill(),
  )
  const url = `http://127.0.0.1:${server.port}`
  return { temporary, app, url, client: new OpenAI({ apiKey: "none", baseURL: `${url}/v1`, maxRetries: 0 }) }
}

const rows = rowOf("Who?", "Mira") + rowOf("What?", "Apples")
const upload = (client: OpenAI, text = rows, name = "train.jsonl", options = {}) =>
  toFile(new TextEncoder().encode(text), name).then((file) =>
    client.files.create({ file, purpose: "fine-tune" }, options),
  )
const contentsOf = ({ folder }: TemporaryStore): string[] =>
  readdirSync(join(folder, "files")).filter((name) => name !== "incoming")

const failure = async (promise: Promise<unknown>) =>
  promise.then(
    () => {
      throw new Error("It went well")
    },
    (error) => error,
  )

for (const [runtime, serve] of [
  ["Bun.serve", serveBun],
  ["node:http", serveNode],
] as const) {
  test(`openai client over ${runtime}: a file is uploaded, found, read and deleted`, async () => {
    const { client, temporary } = await listen(serve)
    const file = await upload(client)
    expect(file).toMatchObject({
      object: "file",
      bytes: new TextEncoder().encode(rows).length,
      filename: "train.jsonl",
      purpose: "fine-tune",
      status: "processed",
    })
    expect(file.id).toMatch(/^file-[0-9a-f]{32}$/)
    expect(Math.abs(file.created_at - Date.now() / 1000)).toBeLessThan(60)
    const { _request_id, ...plain } = file
    expect(await client.files.retrieve(file.id)).toMatchObject(plain)
    expect((await client.files.waitForProcessing(file.id)).status).toBe("processed")
    expect(await (await client.files.content(file.id)).text()).toBe(rows)
    expect(contentsOf(temporary)).toHaveLength(1)
    const deleted = await client.files.delete(file.id)
    expect(deleted).toMatchObject({ id: file.id, object: "file", deleted: true })
    expect(contentsOf(temporary)).toEqual([])
    expect(await failure(client.files.retrieve(file.id))).toBeInstanceOf(NotFoundError)
    expect(await failure(client.files.content(file.id))).toBeInstanceOf(NotFoundError)
    expect(await failure(client.files.delete(file.id))).toBeInstanceOf(NotFoundError)
  })
}

describe("POST /v1/files", () => {
  test("names the line that is no row", async () => {
    const { client, temporary } = await listen()
    const error = await failure(upload(client, `${rows}{"messages": []}\n`))
    expect(error).toBeInstanceOf(BadRequestError)
    expect(error.message).toContain("train.jsonl, line 3:")
    expect(error.param).toBe("file")
    expect(contentsOf(temporary)).toEqual([])
    expect(readdirSync(join(temporary.folder, "files", "incoming"))).toEqual([])
  })

  test("refuses what is over the limit while it arrives, and keeps nothing of it", async () => {
    const { client, temporary } = await listen(serveBun, { maxFileBytes: 1000 })
    const error = await failure(upload(client, rows.repeat(50)))
    expect([error.status, error.code]).toEqual([413, "too_large"])
    expect(readdirSync(join(temporary.folder, "files", "incoming"))).toEqual([])
    expect((await upload(client)).bytes).toBeLessThan(1000)
  })

  test("refuses other purposes, a missing file and a body that is no form", async () => {
    const { url } = await listen()
    const post = async (fields: readonly (readonly [string, string | File])[]) => {
      const form = new FormData()
      for (const [name, value] of fields) form.append(name, value as string)
      const response = await fetch(`${url}/v1/files`, { method: "POST", body: form })
      const { error } = (await response.json()) as { error: { param: string } }
      return [response.status, error.param]
    }
    const file = new File([rows], "a.jsonl")
    expect(await post([["file", file]])).toEqual([400, "purpose"])
    expect(await post([["purpose", "fine-tune"]])).toEqual([400, "file"])
    expect(
      await post([
        ["file", file],
        ["purpose", "batch"],
      ]),
    ).toEqual([400, "purpose"])
    expect(
      await post([
        ["file", file],
        ["file", file],
        ["purpose", "fine-tune"],
      ]),
    ).toEqual([400, "file"])
    expect(
      await post([
        ["purpose", "fine-tune"],
        ["expires_after[anchor]", "created_at"],
        ["file", file],
      ]),
    ).toEqual([400, "expires_after"])
    const json = await fetch(`${url}/v1/files`, {
      method: "POST",
      body: "{}",
      headers: { "content-type": "application/json" },
    })
    expect(json.status).toBe(415)
  })

  test("a file name is shown without folders and never used as a path", async () => {
    const { client, temporary } = await listen()
    expect((await upload(client, rows, "../../etc/passwd.jsonl")).filename).toBe("passwd.jsonl")
    expect(contentsOf(temporary)[0]).toMatch(/^[0-9a-f]{64}$/)
  })

  test("an Idempotency-Key gives the same file again, and 409 for another body", async () => {
    const { client } = await listen()
    const options = { headers: { "Idempotency-Key": "try-1" } }
    const first = await upload(client, rows, "train.jsonl", options)
    const again = await upload(client, rows, "train.jsonl", options)
    expect(again.id).toBe(first.id)
    const other = await failure(upload(client, rows + rows, "train.jsonl", options))
    expect(other).toBeInstanceOf(ConflictError)
    expect(other.headers.get("x-should-retry")).toBe("false")
    expect((await upload(client)).id).not.toBe(first.id)
    expect((await client.files.list()).data).toHaveLength(2)
    const bad = await failure(upload(client, rows, "a.jsonl", { headers: { "Idempotency-Key": "a b" } }))
    expect(bad).toBeInstanceOf(BadRequestError)
  })

  test("twenty retries at once make one file", async () => {
    const { client } = await listen()
    const options = { headers: { "Idempotency-Key": "storm" } }
    const files = await Promise.all(Array.from({ length: 20 }, () => upload(client, rows, "a.jsonl", options)))
    expect(new Set(files.map(({ id }) => id)).size).toBe(1)
    expect((await client.files.list()).data).toHaveLength(1)
  })
})

describe("equal contents", () => {
  test("are kept until the last file of them is deleted", async () => {
    const { client, temporary } = await listen()
    const [a, b] = [await upload(client), await upload(client, rows, "other.jsonl")]
    expect(contentsOf(temporary)).toHaveLength(1)
    await client.files.delete(a.id)
    expect(await (await client.files.content(b.id)).text()).toBe(rows)
    await client.files.delete(b.id)
    expect(contentsOf(temporary)).toEqual([])
  })
})

describe("GET /v1/files", () => {
  test("gives pages in both orders, newest first, by purpose", async () => {
    const { client, url } = await listen()
    const ids: string[] = []
    for (let i = 0; i < 5; i++) ids.push((await upload(client, rows + "\n".repeat(i))).id)
    const newest: string[] = []
    for await (const file of client.files.list({ limit: 2 })) newest.push(file.id)
    expect(newest).toEqual([...ids].reverse())
    const page = await client.files.list({ limit: 2, order: "asc", after: ids[1]! })
    expect([page.data.map(({ id }) => id), page.has_more]).toEqual([[ids[2]!, ids[3]!], true])
    const raw = await (await fetch(`${url}/v1/files?limit=2&order=asc&after=${ids[1]}`)).json()
    expect(raw).toMatchObject({ object: "list", first_id: ids[2], last_id: ids[3], has_more: true })
    const empty = { object: "list", data: [], has_more: false, first_id: "", last_id: "" }
    expect(await (await fetch(`${url}/v1/files?purpose=batch`)).json()).toEqual(empty)
    expect((await client.files.list({ purpose: "batch" })).data).toEqual([])
    expect((await client.files.list({ purpose: "fine-tune" })).data).toHaveLength(5)
    for (const query of ["limit=0", "limit=x", "limit=10001", "order=up", "after=file-nobody", "limit=-1"]) {
      const response = await fetch(`${url}/v1/files?${query}`)
      expect([query, response.status]).toEqual([query, 400])
    }
  })

  test("finds everything again after the store was closed and opened", async () => {
    const { client, temporary } = await listen()
    const { id } = await upload(client)
    const app = await createFakeApp({ store: await temporary.reopen() })
    const response = await app.get(`/v1/files/${id}/content`)
    expect(await response.text()).toBe(rows)
  })
})

test("a server without a store says so", async () => {
  const app = await createFakeApp()
  const response = await app.get("/v1/files")
  expect(response.status).toBe(400)
  expect((await response.json()).error.code).toBe("unsupported")
})
