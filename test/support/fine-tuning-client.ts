/**
 * @module /v1/fine_tuning/jobs as the official `openai` client sees it, over a runner that trains nothing.
 */
import OpenAI, { toFile } from "openai"
import type { FineTuningJob, JobCreateParams } from "openai/resources/fine-tuning/jobs"
import { serveBun } from "../../src/entry/http-bun.ts"
import { createFakeApp, type FakeAppOptions } from "./fake-app.ts"
import { rowOf, type TemporaryStore, temporaryStore } from "./job-store.ts"

const closers: (() => unknown)[] = []

/** Closes what was opened, the last first. */
export async function closeAll(): Promise<void> {
  for (const close of closers.splice(0).reverse()) await close()
}

/** Closes something with the rest. */
export const closeLater = (close: () => unknown): void => void closers.push(close)

/** What jobs here are trained on. */
export const rows = rowOf("Who?", "Mira") + rowOf("What?", "Apples")

/** A server over a store. */
export async function open(temporary: TemporaryStore, options: FakeAppOptions = {}) {
  const app = await createFakeApp({ store: temporary.store, storeFolder: temporary.folder, ...options })
  const server = await serveBun(app.fetch, "127.0.0.1", 0)
  const url = `http://127.0.0.1:${server.port}/v1`
  const client = new OpenAI({ apiKey: "none", baseURL: url, maxRetries: 0 })
  const close = async (): Promise<void> => {
    await app.service.close()
    await server.kill()
  }
  return { app, url, client, runner: app.runner, temporary, close }
}

/** A server over a store of its own, with a file to train on. */
export async function listen(options: FakeAppOptions = {}) {
  const temporary = await temporaryStore()
  const opened = await open(temporary, options)
  closers.push(
    () => temporary.remove(),
    () => opened.close(),
  )
  const file = await opened.client.files.create({
    file: await toFile(new TextEncoder().encode(rows), "train.jsonl"),
    purpose: "fine-tune",
  })
  const create = (fields: Partial<JobCreateParams> & Record<string, unknown> = {}, options = {}) =>
    opened.client.fineTuning.jobs.create({ model: "base", training_file: file.id, ...fields }, options)
  return { ...opened, file, create }
}

/** The job once it is in one of these states. */
export async function until(
  client: OpenAI,
  id: string,
  isThere: (job: FineTuningJob & { espalier?: { paused: boolean; step: number } }) => boolean,
): Promise<FineTuningJob> {
  while (true) {
    const job = await client.fineTuning.jobs.retrieve(id)
    if (isThere(job)) return job
    await Bun.sleep(2)
  }
}
/** The job once it is over. */
export const over = (client: OpenAI, id: string) => until(client, id, ({ finished_at }) => finished_at !== null)

/** What a promise fails with. */
export const failure = async (promise: Promise<unknown>) =>
  promise.then(
    () => {
      throw new Error("It went well")
    },
    (error) => error,
  )
/** A job's events, oldest first. */
export const messagesOf = async (client: OpenAI, id: string): Promise<string[]> => {
  const messages: string[] = []
  for await (const event of client.fineTuning.jobs.listEvents(id, { limit: 3 })) messages.push(event.message)
  return messages.reverse()
}
