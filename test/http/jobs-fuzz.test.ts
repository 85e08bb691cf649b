/**
 * @module Anything at all as a job, a form, a query or an id: never a 5xx, always OpenAI's error object, nothing of the
 * server's disk in it. ESPALIER_TIMES says how many requests of each kind (200 unless it is set).
 */
import { afterAll, beforeAll, expect, test } from "bun:test"
import fc from "fast-check"
import { createFakeApp, type FakeApp } from "../support/fake-app.ts"
import { rowOf, type TemporaryStore, temporaryStore } from "../support/job-store.ts"
import { times } from "../support/times.ts"

const numRuns = times(200)
let temporary: TemporaryStore
let app: FakeApp
let file: string
beforeAll(async () => {
  temporary = await temporaryStore()
  app = await createFakeApp({ store: temporary.store, storeFolder: temporary.folder })
  const form = new FormData()
  form.set("purpose", "fine-tune")
  form.set("file", new File([rowOf("Who?", "Mira")], "a.jsonl"))
  file = ((await (await app.send("/v1/files", { method: "POST", body: form })).json()) as { id: string }).id
})
afterAll(async () => {
  await app.service.close()
  temporary.remove()
})

async function check(response: Response): Promise<void> {
  const text = await response.text()
  expect(text).not.toContain(temporary.folder)
  expect(text).not.toMatch(/\.ts:\d+|node_modules/)
  expect(response.status).toBeLessThan(500)
  if (response.status < 400) return
  expect(JSON.parse(text).error).toEqual({
    message: expect.any(String),
    type: expect.any(String),
    param: text.includes('"param":null') ? null : expect.any(String),
    code: expect.any(String),
  })
}

const oddNumber = fc.oneof(fc.double(), fc.integer(), fc.constantFrom(0, -1, 1e9, 2 ** 53, 1e308, "auto", "1", null))
const odd = fc.oneof(
  oddNumber,
  fc.string(),
  fc.jsonValue({ maxDepth: 3 }),
  fc.constantFrom("../x", "\0", "__proto__", "%2e%2e"),
)
const fields = {
  model: fc.oneof(fc.constant("base"), odd),
  training_file: odd,
  validation_file: odd,
  suffix: odd,
  seed: oddNumber,
  hyperparameters: fc.oneof(odd, fc.record({ n_epochs: oddNumber, batch_size: oddNumber }, { requiredKeys: [] })),
  method: fc.oneof(
    odd,
    fc.record({ type: fc.oneof(fc.constant("supervised"), odd), supervised: odd }, { requiredKeys: [] }),
  ),
  metadata: fc.oneof(odd, fc.dictionary(fc.string(), odd)),
  integrations: odd,
  espalier: fc.oneof(
    odd,
    fc.record(
      { settings: odd, method: odd, max_steps: oddNumber, max_length: oddNumber, checkpoint_every: oddNumber },
      { requiredKeys: [] },
    ),
  ),
}

test("POST /v1/fine_tuning/jobs", async () => {
  const body = fc.record(fields, { requiredKeys: ["model"] })
  await fc.assert(
    fc.asyncProperty(body, fc.boolean(), async (given, isRight) => {
      await check(await app.post("/v1/fine_tuning/jobs", { ...given, ...(isRight && { training_file: file }) }))
    }),
    { numRuns },
  )
}, 60_000)

test("queries and ids", async () => {
  const path = fc.constantFrom("files", "fine_tuning/jobs")
  const tail = fc.constantFrom("", "/content", "/events", "/checkpoints", "/cancel", "/pause", "/resume", "/x")
  const query = fc.dictionary(
    fc.constantFrom("limit", "after", "order", "purpose", "stream", "metadata", "metadata[k]", "metadata[", "x"),
    fc.oneof(fc.string(), fc.constantFrom("1", "0", "-1", "1e9", "asc", "null", "file-", "' OR 1=1 --")),
  )
  const method = fc.constantFrom("GET", "POST", "DELETE", "PUT")
  await fc.assert(
    fc.asyncProperty(
      path,
      fc.option(fc.string({ minLength: 1 })),
      tail,
      query,
      method,
      async (root, id, end, asked, how) => {
        const below = id === null ? "" : `/${encodeURIComponent(id)}${end}`
        await check(await app.send(`/v1/${root}${below}?${new URLSearchParams(asked)}`, { method: how }))
      },
    ),
    { numRuns },
  )
}, 60_000)

test("forms", async () => {
  const line = fc.oneof(
    fc.constantFrom("--XyZ\r\n", "--XyZ--\r\n", "\r\n", "\r\n\r\n", "--XyZ", "--", rowOf("a", "b")),
    fc.constantFrom(
      'Content-Disposition: form-data; name="file"; filename="a.jsonl"\r\n\r\n',
      'Content-Disposition: form-data; name="purpose"\r\n\r\nfine-tune',
      'Content-Disposition: form-data; name="file"; filename="../../b.csv"\r\n\r\n',
    ),
    fc.string(),
    fc.uint8Array({ maxLength: 40 }).map((bytes) => String.fromCharCode(...bytes)),
  )
  await fc.assert(
    fc.asyncProperty(fc.array(line, { maxLength: 12 }), fc.boolean(), async (lines, isOpened) => {
      const body = `${isOpened ? "--XyZ\r\n" : ""}${lines.join("")}`
      const headers = { "content-type": "multipart/form-data; boundary=XyZ" }
      await check(await app.send("/v1/files", { method: "POST", headers, body }))
    }),
    { numRuns },
  )
}, 60_000)
