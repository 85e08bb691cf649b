/**
 * @module Fine-tuning over HTTP on the embedded base: a real engine, real training threads, the official `openai` client.
 */
import { afterAll, beforeAll, describe, expect, test } from "bun:test"
import { createHash } from "node:crypto"
import { mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import OpenAI, { APIUserAbortError, BadRequestError, NotFoundError, toFile } from "openai"
import { createApp } from "../../routes/app.ts"
import { serveBun } from "../../src/entry/http-bun.ts"
import type { RuntimeServer } from "../../src/entry/http-runtime.ts"
import { folderOf } from "../../src/jobs/model-name.ts"
import type { JobRunner } from "../../src/jobs/runner.ts"
import { openEngineWorker } from "../../src/presets/open-engine.ts"
import { openTraining } from "../../src/presets/open-store.ts"
import { trainingThreads } from "../../src/presets/training-thread.ts"
import { createService, type Service } from "../../src/service/service.ts"
import { rowOf, type TemporaryStore, temporaryStore } from "../support/job-store.ts"
import { sprigFolder } from "../support/sprig.ts"

let temporary: TemporaryStore
let service: Service
let server: RuntimeServer
let client: OpenAI
let file: string
/** Awaited at each checkpoint of a run. */
let atCheckpoint: ((step: number) => Promise<void>) | null = null

const rows = Array.from({ length: 16 }, (_, i) => rowOf(`Mira bought ${i} apples.`, `apples: ${i}`)).join("")

/** The embedded base with so short a suite that the forgetting gate is quick. */
function quickBase(folder: string): string {
  const base = join(folder, "sprig")
  mkdirSync(base)
  for (const name of readdirSync(sprigFolder)) {
    if (name !== "suite.jsonl") symlinkSync(join(sprigFolder, name), join(base, name))
  }
  const questions = readFileSync(join(sprigFolder, "suite.jsonl"), "utf8")
    .split("\n")
    .filter((line) => line.includes('"messages"') && line.length < 250)
  writeFileSync(join(base, "suite.jsonl"), `${questions.filter((_, i) => i % 200 === 0).join("\n")}\n`)
  return base
}

beforeAll(async () => {
  temporary = await temporaryStore()
  const { store, folder } = temporary
  const base = quickBase(folder)
  const engine = await openEngineWorker({ base, backend: "native", threads: 1 })
  const worker = new URL("../../src/entry/training-worker.ts", import.meta.url)
  const threads = trainingThreads(worker, { base, backend: "native", threads: 1, store: folder })
  const runner: JobRunner = {
    ...threads,
    run: (work, hooks) =>
      threads.run(work, {
        ...hooks,
        async onCheckpoint(checkpoint) {
          await atCheckpoint?.(checkpoint.step)
          await hooks.onCheckpoint(checkpoint)
        },
      }),
  }
  const training = await openTraining({ store, folder, engine, runner })
  service = createService({ engine, store, training })
  const app = createApp(service)
  server = await serveBun((request) => app.fetch(request), "127.0.0.1", 0)
  client = new OpenAI({ apiKey: "none", baseURL: `http://127.0.0.1:${server.port}/v1`, maxRetries: 0 })
  const upload = await toFile(new TextEncoder().encode(rows), "rows.jsonl")
  file = (await client.files.create({ file: upload, purpose: "fine-tune" })).id
}, 60_000)
afterAll(async () => {
  await service?.close()
  await server?.kill()
  temporary?.remove()
})

const create = (fields: object) =>
  client.fineTuning.jobs.create({
    model: "sprig",
    training_file: file,
    seed: 3,
    hyperparameters: { batch_size: 4 },
    ...fields,
  } as OpenAI.FineTuning.JobCreateParams)

type Job = OpenAI.FineTuning.FineTuningJob & { readonly espalier: { readonly paused: boolean; readonly step: number } }

async function until(id: string, isThere: (job: Job) => boolean): Promise<Job> {
  while (true) {
    const job = (await client.fineTuning.jobs.retrieve(id)) as Job
    if (isThere(job)) return job
    await Bun.sleep(5)
  }
}
const over = (id: string): Promise<Job> => until(id, ({ finished_at }) => finished_at !== null)

const failure = (promise: PromiseLike<unknown>) =>
  Promise.resolve(promise).then(
    () => {
      throw new Error("It went well")
    },
    (error) => error,
  )

const hashes = (model: string): Record<string, string> => {
  const folder = join(temporary.folder, "adapters", folderOf(model))
  const entries = readdirSync(folder).map((name) => {
    const hash = createHash("sha256").update(readFileSync(join(folder, name)))
    return [name, hash.digest("hex")] as const
  })
  return Object.fromEntries(entries.toSorted())
}

describe("a fine-tuned model", () => {
  test("comes of a file by a job, answers in a stream that can be left, and is deleted", async () => {
    const espalier = { method: "ia3", max_steps: 4, checkpoint_every: 2, learning_rate: 0.01 }
    const { id } = await create({ suffix: "real", espalier })
    const messages = [{ role: "user" as const, content: "Mira bought 3 apples." }]
    // The engine answers while the job runs.
    const meanwhile = client.chat.completions.create({ model: "sprig", messages, max_tokens: 4, temperature: 0 })
    expect((await meanwhile).choices[0]!.message.content).not.toBe("")
    const job = await over(id)
    expect([job.status, job.error]).toEqual(["succeeded", null])
    expect(job.trained_tokens!).toBeGreaterThan(100)

    const metrics: Record<string, unknown>[] = []
    for await (const event of client.fineTuning.jobs.listEvents(id)) {
      if (event.type === "metrics") metrics.unshift(event.data as Record<string, unknown>)
    }
    expect(metrics.map(({ step }) => step)).toEqual([1, 2, 3, 4])
    for (const { train_loss } of metrics) expect(train_loss).toBeNumber()
    const csv = await (await client.files.content(job.result_files[0]!)).text()
    expect(csv.trim().split("\n")).toHaveLength(5)

    const [checkpoint] = (await client.fineTuning.jobs.checkpoints.list(id)).data
    expect([checkpoint!.step_number, checkpoint!.metrics.train_loss]).toEqual([2, metrics[1]!["train_loss"] as number])
    for (const model of [job.fine_tuned_model!, checkpoint!.fine_tuned_model_checkpoint]) {
      const { data, response } = await client.chat.completions
        .create({ model, messages, max_tokens: 8, temperature: 0, stream: true })
        .withResponse()
      expect(response.headers.get("x-espalier-adapter")).toStartWith(`${model}@`)
      let text = ""
      for await (const chunk of data) text += chunk.choices[0]?.delta.content ?? ""
      expect(text).not.toBe("")
    }
    const controller = new AbortController()
    const left = client.chat.completions.create(
      { model: job.fine_tuned_model!, messages, max_tokens: 200 },
      { signal: controller.signal },
    )
    controller.abort()
    expect(await failure(left)).toBeInstanceOf(APIUserAbortError)

    expect((await client.models.delete(job.fine_tuned_model!)).deleted).toBe(true)
    const gone = client.chat.completions.create({ model: job.fine_tuned_model!, messages })
    expect(await failure(gone)).toBeInstanceOf(NotFoundError)
    expect(readdirSync(join(temporary.folder, "runs"))).toEqual([])
  }, 120_000)

  test("has the same bytes whether its job was paused or not", async () => {
    const espalier = { max_steps: 6, heldout_part: 0.2, settings: { rank: 2, dropout: 0.1 }, checkpoint_every: 2 }
    const whole = await create({ espalier })
    await over(whole.id)
    // The run waits for this before it goes on from a checkpoint.
    atCheckpoint = async (step) => {
      if (step === 4) await client.fineTuning.jobs.pause(paused.id)
    }
    const paused = await create({ espalier })
    const waiting = await until(paused.id, (job) => job.espalier.paused && job.status !== "running")
    atCheckpoint = null
    expect([waiting.status, waiting.espalier.step]).toEqual(["queued", 4])
    await client.fineTuning.jobs.resume(paused.id)
    const [one, other] = [await over(whole.id), await over(paused.id)]
    expect([one.status, other.status]).toEqual(["succeeded", "succeeded"])
    expect(hashes(other.fine_tuned_model!)).toEqual(hashes(one.fine_tuned_model!))
    expect(other.trained_tokens).toBe(one.trained_tokens)
  }, 180_000)

  test("that has forgotten too much is held back", async () => {
    const espalier = { max_steps: 2, learning_rate: 0.5, checkpoint_every: 1, max_forgetting: 1 }
    const job = await over((await create({ espalier })).id)
    expect([job.status, job.error?.code, job.fine_tuned_model]).toEqual(["failed", "held_back", null])
    expect(job.error!.message).toMatch(/forgot \d+\.\d points, more than the 1 allowed/)
    const [checkpoint] = (await client.fineTuning.jobs.checkpoints.list(job.id)).data
    const ask = client.completions.create({ model: checkpoint!.fine_tuned_model_checkpoint, prompt: "x" })
    expect((await failure(ask)).message).toContain("was not promoted to serving")
  }, 240_000)

  test("is refused before anything is trained where its settings are wrong", async () => {
    for (const [espalier, param] of [
      [{ method: "nope" }, "espalier.method"],
      [{ method: "full" }, "espalier.method"],
      [{ settings: { rank: 0 } }, "espalier.settings"],
    ] as const) {
      const error = await failure(create({ espalier }))
      expect(error).toBeInstanceOf(BadRequestError)
      expect(error.param).toBe(param)
    }
  })

  test("fails with the reason where its rows can't be trained on", async () => {
    const job = await over((await create({ espalier: { max_length: 2 } })).id)
    expect([job.status, job.error?.code]).toEqual(["failed", "invalid_file"])
    expect(job.error!.message).toContain("rows.jsonl has nothing to learn")
  }, 60_000)
})
