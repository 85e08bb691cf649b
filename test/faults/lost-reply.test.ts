/**
 * @module Creations whose answer is lost on its way: the official client sends them again, with their Idempotency-Key, and one
 * of each is there.
 */
import { afterAll, expect, test } from "bun:test"
import OpenAI, { toFile } from "openai"
import { createFakeApp } from "../support/fake-app.ts"
import { rowOf, temporaryStore } from "../support/job-store.ts"
import { times } from "../support/times.ts"

const creations = times(1000)
const closers: (() => unknown)[] = []
afterAll(async () => {
  for (const close of closers.reverse()) await close()
  // Thousands of jobs have folders to remove.
}, 120_000)

test(`${creations} jobs whose answer is lost are made once each`, async () => {
  const temporary = await temporaryStore()
  closers.push(() => temporary.remove())
  const app = await createFakeApp({ store: temporary.store, storeFolder: temporary.folder })
  closers.push(() => app.service.close())
  let lost = 0
  const seen = new Set<string>()
  const client = new OpenAI({
    ...{ apiKey: "none", baseURL: "http://localhost/v1", maxRetries: 3 },
    async fetch(input, init) {
      const request = new Request(input, init)
      const key = request.headers.get("idempotency-key")
      const response = await app.fetch(request)
      if (key === null || seen.has(key)) return response
      seen.add(key)
      lost++
      throw new TypeError("The connection was lost")
    },
  })
  const file = await client.files.create(
    { file: await toFile(new TextEncoder().encode(rowOf("Who?", "Mira")), "a.jsonl"), purpose: "fine-tune" },
    { headers: { "Idempotency-Key": "the-file" } },
  )
  const ids: string[] = []
  // No more than may wait at once.
  for (let done = 0; done < creations; done += 500) {
    const jobs = await Promise.all(
      Array.from({ length: Math.min(500, creations - done) }, (_, i) =>
        client.fineTuning.jobs.create(
          { model: "base", training_file: file.id, metadata: { number: String(done + i) } },
          { headers: { "Idempotency-Key": `job-${done + i}` } },
        ),
      ),
    )
    expect(jobs.map(({ metadata }) => metadata!["number"])).toEqual(jobs.map((_, i) => String(done + i)))
    ids.push(...jobs.map(({ id }) => id))
    for (const id of ids.slice(done)) while (!(await isOver(client, id))) await Bun.sleep(1)
  }
  expect(lost).toBe(creations + 1)
  expect(new Set(ids).size).toBe(creations)
  const found: string[] = []
  for await (const { id } of client.fineTuning.jobs.list({ limit: 100 })) found.push(id)
  expect(found.toSorted()).toEqual(ids.toSorted())
  expect(app.runner.runs.map(({ id }) => id).toSorted()).toEqual(ids.toSorted())
  expect((await client.files.list({ purpose: "fine-tune" })).data).toHaveLength(1)
}, 900_000)

const isOver = async (client: OpenAI, id: string): Promise<boolean> =>
  (await client.fineTuning.jobs.retrieve(id)).status === "succeeded"
