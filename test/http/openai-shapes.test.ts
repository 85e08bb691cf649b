/**
 * @module Live answers against the schemas that OpenAI publishes: every answer that a test gets of an app is held to them
 * (test/support/fake-app.ts); here are streams, every route of theirs, and every status that refuses.
 */
import { afterAll, beforeAll, expect, test } from "bun:test"
import { type TemporaryIndex, temporaryIndex } from "../support/document-index.ts"
import { createFakeApp, type FakeApp, readEvents } from "../support/fake-app.ts"
import { checkOpenai, openaiSchemas, openaiSeen } from "../support/fits-openai.ts"
import { rowOf, type TemporaryStore, temporaryStore } from "../support/job-store.ts"

let temporary: TemporaryStore
let documents: TemporaryIndex
let app: FakeApp
const messages = [{ role: "user", content: "hi" }]

beforeAll(async () => {
  temporary = await temporaryStore()
  documents = await temporaryIndex()
  const { store, folder: storeFolder } = temporary
  app = await createFakeApp({ store, storeFolder, documents: documents.index, adapters: ["support"] })
})
afterAll(async () => {
  await app.service.close()
  temporary.remove()
  await documents.remove()
})

const bodyOf = async (response: Promise<Response>) => {
  const found = await response
  const body = (await found.json()) as { id: string; status: string; fine_tuned_model: string }
  expect([found.status, body]).toEqual([200, body])
  return body
}
const remove = (path: string) => bodyOf(app.send(path, { method: "DELETE" }))
async function upload(purpose: string, name: string, text: string): Promise<string> {
  const form = new FormData()
  form.set("purpose", purpose)
  form.set("file", new File([text], name))
  return (await bodyOf(app.send("/v1/files", { method: "POST", body: form }))).id
}

test("answers and streams of chat and completions", async () => {
  const chat = { model: "support", messages, max_tokens: 6 }
  await bodyOf(app.post("/v1/chat/completions", { ...chat, n: 2, logprobs: true, top_logprobs: 2, seed: 1 }))
  const completion = { model: "base", prompt: ["a", "b"], max_tokens: 4 }
  await bodyOf(app.post("/v1/completions", { ...completion, logprobs: 2, echo: true }))
  const streamed = { stream: true, stream_options: { include_usage: true } }
  for (const [path, body, schema] of [
    ["/v1/chat/completions", { ...chat, ...streamed, logprobs: true, n: 2 }, "CreateChatCompletionStreamResponse"],
    ["/v1/completions", { ...completion, ...streamed, logprobs: 1 }, "CreateCompletionResponse"],
  ] as const) {
    const events = await readEvents(await app.post(path, body))
    expect(events.at(-1)).toBe("[DONE]")
    expect(events.length).toBeGreaterThan(8)
    for (const event of events.slice(0, -1)) {
      const chunk = JSON.parse(event)
      // OpenAI has one schema for whole completions and for parts of them, whose reason and usage are null until the end.
      if (schema === "CreateCompletionResponse") {
        for (const choice of chunk.choices) choice.finish_reason ??= "stop"
        chunk.usage ??= undefined
      }
      checkOpenai(schema, chunk)
    }
  }
})

test("files, jobs through all their states, their events, whole and streamed, and checkpoints", async () => {
  const file = await upload("fine-tune", "a.jsonl", rowOf("Who?", "Mira"))
  const create = async () => {
    const job = { model: "base", training_file: file, suffix: "x", metadata: { team: "a" }, seed: 1 }
    return (await bodyOf(app.post("/v1/fine_tuning/jobs", job))).id
  }
  const until = async (id: string, isThere: (status: string) => boolean): Promise<{ fine_tuned_model: string }> => {
    while (true) {
      const job = await bodyOf(app.get(`/v1/fine_tuning/jobs/${id}`))
      if (isThere(job.status)) return job
      await Bun.sleep(1)
    }
  }
  app.runner.hold()
  const [one, other] = [await create(), await create()]
  await until(one, (status) => status === "running")
  await bodyOf(app.post(`/v1/fine_tuning/jobs/${one}/pause`, {}))
  await until(one, (status) => status === "queued")
  await bodyOf(app.post(`/v1/fine_tuning/jobs/${one}/resume`, {}))
  await bodyOf(app.post(`/v1/fine_tuning/jobs/${other}/cancel`, {}))
  const following = app.get(`/v1/fine_tuning/jobs/${one}/events?stream=true`)
  app.runner.allow(100)
  const { fine_tuned_model } = await until(one, (status) => status === "succeeded")
  for (const event of (await readEvents(await following)).slice(0, -1))
    checkOpenai("FineTuningJobEvent", JSON.parse(event))
  app.runner.failWith(new Error("no"))
  const failing = await create()
  await until(failing, (status) => status === "failed")
  for (const path of ["", `/${one}`, `/${one}/events`, `/${one}/checkpoints`, `/${failing}`])
    await bodyOf(app.get(`/v1/fine_tuning/jobs${path}`))
  for (const path of ["/v1/files", `/v1/files/${file}`, "/v1/models", `/v1/models/${fine_tuned_model}`])
    await bodyOf(app.get(path))
  await bodyOf(app.post("/v1/embeddings", { model: "base", input: ["a", "b"] }))
  await remove(`/v1/models/${fine_tuned_model}`)
  await remove(`/v1/files/${file}`)
})

test("vector stores", async () => {
  const file = await upload("assistants", "tal.txt", "The mayor of Tal is Mira.")
  const { id } = await bodyOf(app.post("/v1/vector_stores", { name: "towns" }))
  const path = `/v1/vector_stores/${id}`
  await bodyOf(app.post(`${path}/files`, { file_id: file }))
  await bodyOf(app.post(`${path}/search`, { query: "mayor" }))
  for (const more of ["", "/files", `/files/${file}`]) await bodyOf(app.get(`${path}${more}`))
  await bodyOf(app.get("/v1/vector_stores"))
  const batch = await bodyOf(app.post(`${path}/file_batches`, { file_ids: [file] }))
  await bodyOf(app.get(`${path}/file_batches/${batch.id}`))
  await bodyOf(app.get(`${path}/file_batches/${batch.id}/files`))
  await remove(`${path}/files/${file}`)
  await remove(path)
})

test("every status that refuses", async () => {
  const post = (body: unknown, headers = {}) => app.post("/v1/chat/completions", body, headers)
  const broken = await createFakeApp({
    apiKey: "sk-x",
    beforeAppend() {
      throw new Error("secret")
    },
  })
  const full = await createFakeApp({ scheduler: { maxActive: 1, maxWaiting: 0 } })
  const ask = { model: "base", messages, max_tokens: 50 }
  const crowd = await Promise.all([1, 2].map(() => full.post("/v1/chat/completions", ask)))
  const responses = [
    await post({ model: "base", messages, temperature: 9 }),
    await broken.get("/v1/models"),
    await app.fetch(new Request("http://evil.example/v1/models")),
    await post({ model: "nobody", messages }),
    await app.send("/v1/models", { method: "PUT" }),
    await app.post("/v1/adapters", { name: "support", path: "x" }),
    await post(`{"model": "base", "prompt": "${"x".repeat(3 * 2 ** 20)}"}`),
    await post("hi", { "content-type": "text/plain" }),
    crowd.find(({ status }) => status !== 200)!,
    await broken.post("/v1/chat/completions", ask, { authorization: "Bearer sk-x" }),
  ]
  expect(responses.map(({ status }) => status)).toEqual([400, 401, 403, 404, 405, 409, 413, 415, 429, 500])
  for (const response of responses) checkOpenai("ErrorResponse", await response.json())
})

test("no schema was left out", () => {
  expect(openaiSchemas.filter((schema) => !openaiSeen.has(schema))).toEqual([])
})
