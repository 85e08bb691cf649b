/**
 * @module /v1/fine_tuning/jobs through the official `openai` client, over a runner that trains nothing: every state, every
 * change of it, every error.
 */
import { afterAll, describe, expect, test } from "bun:test"
import { readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import OpenAI, { BadRequestError, ConflictError, NotFoundError, toFile } from "openai"
import type { FineTuningJob, JobCreateParams } from "openai/resources/fine-tuning/jobs"
import { EspalierError } from "../../src/core/errors.ts"
import { serveBun } from "../../src/entry/http-bun.ts"
import { createFakeApp, type FakeAppOptions } from "../support/fake-app.ts"
import { rowOf, type TemporaryStore, temporaryStore } from "../support/job-store.ts"

const closers: (() => unknown)[] = []
afterAll(async () => {
  for (const close of closers.reverse()) await close()
})

const rows = rowOf("Who?", "Mira") + rowOf("What?", "Apples")

async function open(temporary: TemporaryStore, options: FakeAppOptions = {}) {
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

async function listen(options: FakeAppOptions = {}) {
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
async function until(
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
const over = (client: OpenAI, id: string) => until(client, id, ({ finished_at }) => finished_at !== null)

const failure = async (promise: Promise<unknown>) =>
  promise.then(
    () => {
      throw new Error("It went well")
    },
    (error) => error,
  )
const messagesOf = async (client: OpenAI, id: string): Promise<string[]> => {
  const messages: string[] = []
  for await (const event of client.fineTuning.jobs.listEvents(id, { limit: 3 })) messages.push(event.message)
  return messages.reverse()
}

describe("a job", () => {
  test("goes from its file to a model that answers, and the model can be deleted", async () => {
    const { client, file, create, runner } = await listen()
    const job = await create({ suffix: "support", metadata: { team: "a" }, seed: 7 })
    expect(job).toMatchObject({
      object: "fine_tuning.job",
      status: "validating_files",
      model: "base",
      fine_tuned_model: null,
      finished_at: null,
      training_file: file.id,
      validation_file: null,
      result_files: [],
      trained_tokens: null,
      error: null,
      seed: 7,
      metadata: { team: "a" },
      hyperparameters: { n_epochs: 3, batch_size: 8, learning_rate_multiplier: 1 },
      method: { type: "supervised" },
    })
    expect(job.id).toMatch(/^ftjob-[0-9a-f]{32}$/)
    const done = await over(client, job.id)
    expect([done.status, done.error]).toEqual(["succeeded", null])
    expect(done.fine_tuned_model).toBe(`ft:base:support:${job.id.slice(6, 18)}`)
    expect(done.trained_tokens).toBe(60)
    expect(await messagesOf(client, job.id)).toEqual([
      `Created fine-tuning job: ${job.id}`,
      `Validating training file: ${file.id}`,
      "Files validated, moving job to queued state",
      "Fine-tuning job started",
      "2 rows",
      "Step 1/6: training loss=1.00",
      "Step 2/6: training loss=0.50",
      `Checkpoint created at step 2: ${done.fine_tuned_model}:ckpt-step-2`,
      "Step 3/6: training loss=0.33",
      "Step 4/6: training loss=0.25",
      `Checkpoint created at step 4: ${done.fine_tuned_model}:ckpt-step-4`,
      "Step 5/6: training loss=0.20",
      "Step 6/6: training loss=0.17",
      "Step 6: validation loss=0.50, validation token accuracy=0.75",
      `New fine-tuned model created: ${done.fine_tuned_model}`,
      "The job has successfully completed",
    ])
    const metrics = (await client.fineTuning.jobs.listEvents(job.id, { limit: 100 })).data.filter(
      ({ type }) => type === "metrics",
    )
    expect(metrics.at(-1)).toMatchObject({ level: "info", data: { step: 1, total_steps: 6, train_loss: 1 } })

    const model = done.fine_tuned_model!
    const ask = (name: string) =>
      client.chat.completions.create({ model: name, messages: [{ role: "user", content: "hi" }], max_tokens: 4 })
    expect((await ask(model)).model).toBe(model)
    const listed = (await client.models.list()).data as unknown as { id: string; parent: string | null }[]
    expect(listed.map(({ id, parent }) => [id, parent])).toEqual([
      ["base", null],
      [model, "base"],
    ])
    expect((await client.models.retrieve(model)).id).toBe(model)

    const checkpoints = (await client.fineTuning.jobs.checkpoints.list(job.id)).data
    expect(checkpoints.map(({ step_number }) => step_number)).toEqual([4, 2])
    expect(checkpoints[0]).toMatchObject({
      object: "fine_tuning.job.checkpoint",
      fine_tuning_job_id: job.id,
      fine_tuned_model_checkpoint: `${model}:ckpt-step-4`,
      metrics: { step: 4, train_loss: 0.25 },
    })
    const checkpoint = checkpoints[0]!.fine_tuned_model_checkpoint
    expect((await ask(checkpoint)).model).toBe(checkpoint)
    expect((await client.models.retrieve(checkpoint)).id).toBe(checkpoint)

    const results = await client.files.content(done.result_files[0]!)
    expect(await results.text()).toBe("step,train_loss\n1,1\n")
    expect((await client.files.list({ purpose: "fine-tune-results" })).data).toHaveLength(1)

    expect(await client.models.delete(model)).toMatchObject({ id: model, object: "model", deleted: true })
    expect(await failure(ask(model))).toBeInstanceOf(NotFoundError)
    expect(await failure(client.models.delete(model))).toBeInstanceOf(NotFoundError)
    expect((await client.models.delete(checkpoint)).deleted).toBe(true)
    expect((await client.fineTuning.jobs.checkpoints.list(job.id)).data).toHaveLength(1)
    while (runner.forgotten.length === 0) await Bun.sleep(1)
    expect(runner.forgotten).toEqual([job.id])
  })

  test("runs alone, in the order of creation", async () => {
    const { client, create, runner } = await listen()
    runner.hold()
    const [a, b] = [await create(), await create()]
    await until(client, a.id, ({ status }) => status === "running")
    await until(client, b.id, ({ status }) => status === "queued")
    expect(runner.runs.map(({ id }) => id)).toEqual([a.id])
    runner.allow(12)
    await over(client, b.id)
    expect(runner.runs.map(({ id }) => id)).toEqual([a.id, b.id])
    const [first, second] = [await over(client, a.id), await over(client, b.id)]
    expect(first.finished_at!).toBeLessThanOrEqual(second.finished_at!)
  })

  test("is cancelled while it waits and while it runs, once", async () => {
    const { client, create, runner } = await listen()
    runner.hold()
    const [a, b] = [await create(), await create()]
    await until(client, a.id, ({ status }) => status === "running")
    await until(client, b.id, ({ status }) => status === "queued")
    for (const { id } of [b, a]) {
      const cancelled = await client.fineTuning.jobs.cancel(id)
      expect(cancelled.status).toBe("cancelled")
      expect(cancelled.finished_at).not.toBeNull()
      const again = await failure(client.fineTuning.jobs.cancel(id))
      expect(again).toBeInstanceOf(ConflictError)
      expect(again.headers.get("x-should-retry")).toBe("false")
    }
    runner.allow(100)
    const c = await create()
    expect((await over(client, c.id)).status).toBe("succeeded")
    expect((await client.fineTuning.jobs.retrieve(a.id)).status).toBe("cancelled")
    expect((await client.fineTuning.jobs.retrieve(a.id)).fine_tuned_model).toBeNull()
    expect(runner.runs.map(({ id }) => id)).toEqual([a.id, c.id])
    // What the runs kept for going on goes a moment after their ends.
    while (runner.forgotten.length < 3) await Bun.sleep(1)
    expect(runner.forgotten.toSorted()).toEqual([a.id, b.id, c.id].toSorted())
  })

  test("is paused at a checkpoint and goes on where it was, while another takes its turn", async () => {
    const { client, create, runner } = await listen()
    runner.hold()
    const job = await create()
    runner.allow(3)
    await until(client, job.id, ({ espalier }) => espalier!.step === 3)
    const paused = (await client.fineTuning.jobs.pause(job.id)) as FineTuningJob & { espalier: { paused: boolean } }
    expect(paused.espalier.paused).toBe(true)
    await until(client, job.id, ({ status }) => status === "queued")
    expect(await failure(client.fineTuning.jobs.pause(job.id))).toBeInstanceOf(ConflictError)
    runner.allow(100)
    const other = await create()
    expect((await over(client, other.id)).status).toBe("succeeded")
    expect((await client.fineTuning.jobs.retrieve(job.id)).status).toBe("queued")
    await client.fineTuning.jobs.resume(job.id)
    expect(await failure(client.fineTuning.jobs.resume(job.id))).toBeInstanceOf(ConflictError)
    expect((await over(client, job.id)).status).toBe("succeeded")
    const messages = await messagesOf(client, job.id)
    expect(messages.filter((message) => message.startsWith("Step 3/6"))).toHaveLength(1)
    expect(messages).toContain("Fine-tuning job goes on after step 3 of 6")
    // It goes on with the threads that it began with.
    expect(runner.runs.map(({ id, threads }) => [id, threads])).toEqual([
      [job.id, null],
      [other.id, null],
      [job.id, 3],
    ])
    expect(await failure(client.fineTuning.jobs.pause(job.id))).toBeInstanceOf(ConflictError)
  })

  test("that waits can be paused and cancelled", async () => {
    const { client, create, runner } = await listen()
    runner.hold()
    const [, b] = [await create(), await create()]
    await until(client, b.id, ({ status }) => status === "queued")
    await client.fineTuning.jobs.pause(b.id)
    runner.allow(100)
    const c = await create()
    await over(client, c.id)
    expect((await client.fineTuning.jobs.cancel(b.id)).status).toBe("cancelled")
    expect(runner.runs.some(({ id }) => id === b.id)).toBe(false)
  })

  test("that fails says why, and the next one runs", async () => {
    const { app, client, create, runner } = await listen()
    runner.failWith(new EspalierError("invalid_file", "train.jsonl has nothing to learn", { hint: "Write some" }))
    const job = await over(client, (await create()).id)
    expect(job.status).toBe("failed")
    expect(job.error).toEqual({
      code: "invalid_file",
      message: "train.jsonl has nothing to learn. Write some",
      param: null,
    })
    expect(app.reported).toEqual([])
    runner.failWith(new Error("a secret of ours"))
    const broken = await over(client, (await create()).id)
    expect(broken.error!.code).toBe("internal")
    expect(JSON.stringify(await client.fineTuning.jobs.listEvents(broken.id))).not.toContain("secret")
    expect(app.reported).toHaveLength(1)
    expect((await over(client, (await create()).id)).status).toBe("succeeded")
  })

  test("that the forgetting gate holds back has no model", async () => {
    const { client, create, runner } = await listen()
    runner.holdBack("Held back from serving: the base forgot 9.0 points, more than the 5 allowed")
    const job = await over(client, (await create({ espalier: { max_forgetting: 5 } })).id)
    expect([job.status, job.error!.code, job.fine_tuned_model]).toEqual(["failed", "held_back", null])
    expect((await client.models.list()).data.map(({ id }) => id)).toEqual(["base"])
    expect(job.result_files).toHaveLength(1)
  })

  test("keeps its data though its file is deleted", async () => {
    const { client, create, runner, file, temporary } = await listen()
    runner.hold()
    const job = await create()
    await until(client, job.id, ({ status }) => status === "running")
    await client.files.delete(file.id)
    expect((await temporary.store.contents.list()).length).toBe(1)
    runner.allow(100)
    expect((await over(client, job.id)).status).toBe("succeeded")
    // Its data is gone with it; its metrics are kept.
    while ((await temporary.store.contents.list()).length > 1) await Bun.sleep(2)
    expect(await failure(create())).toBeInstanceOf(NotFoundError)
  })

  test("whose file changed on disk fails before it runs", async () => {
    const { client, create, runner, temporary, file } = await listen()
    const { sha256 } = temporary.store.database.get("SELECT sha256 FROM files WHERE id = ?", file.id)!
    await Bun.write(`${temporary.folder}/files/${sha256}`, "something else")
    const job = await over(client, (await create()).id)
    expect([job.status, job.error!.code, job.error!.param]).toEqual(["failed", "invalid_file", "training_file"])
    expect(runner.runs).toEqual([])
  })
})

describe("events as a stream", () => {
  test("are those of the list, from the first to the job's end", async () => {
    const { client, create, runner, url } = await listen()
    runner.hold()
    const job = await create()
    const response = await fetch(`${url}/fine_tuning/jobs/${job.id}/events?stream=true`)
    expect(response.headers.get("content-type")).toStartWith("text/event-stream")
    const text = response.text()
    await until(client, job.id, ({ status }) => status === "running")
    runner.allow(100)
    const events = (await text).split("\n\n").filter((line) => line.startsWith("data: "))
    expect(events.at(-1)).toBe("data: [DONE]")
    const streamed = events.slice(0, -1).map((line) => JSON.parse(line.slice(6)) as { id: string; message: string })
    expect(streamed.map(({ message }) => message)).toEqual(await messagesOf(client, job.id))
    const after = await fetch(`${url}/fine_tuning/jobs/${job.id}/events?after=${streamed.at(-2)!.id}`, {
      headers: { accept: "text/event-stream" },
    })
    const rest = await after.text()
    expect(rest).toContain(streamed.at(-1)!.id)
    expect(rest.match(/^data: /gm)).toHaveLength(2)
  })

  test("end when the client leaves, and when the server closes", async () => {
    const { create, runner, url, app } = await listen()
    runner.hold()
    const { id } = await create()
    const controller = new AbortController()
    const left = await fetch(`${url}/fine_tuning/jobs/${id}/events?stream=true`, { signal: controller.signal })
    await left.body!.getReader().read()
    controller.abort()
    const stays = fetch(`${url}/fine_tuning/jobs/${id}/events?stream=true`).then((response) => response.text())
    await Bun.sleep(5)
    await app.service.jobs!.close()
    expect(await stays).toEndWith("data: [DONE]\n\n")
  })
})

describe("POST /v1/fine_tuning/jobs", () => {
  test("refuses what it can't do, naming the field", async () => {
    const { create, runner } = await listen()
    const cases: readonly (readonly [fields: Record<string, unknown>, param: string, status?: number])[] = [
      [{ model: "gpt-9" }, "model", 404],
      [{ training_file: "file-nobody" }, "training_file", 404],
      [{ validation_file: "file-nobody" }, "validation_file", 404],
      [{ hyperparameters: { n_epochs: 0 } }, "hyperparameters.n_epochs"],
      [{ hyperparameters: { n_epochs: 51 } }, "hyperparameters.n_epochs"],
      [{ hyperparameters: { batch_size: 1.5 } }, "hyperparameters.batch_size"],
      [{ hyperparameters: { batch_size: 1e9 } }, "hyperparameters.batch_size"],
      [{ hyperparameters: { learning_rate_multiplier: -1 } }, "hyperparameters.learning_rate_multiplier"],
      [{ hyperparameters: { learning_rate_multiplier: "fast" } }, "hyperparameters.learning_rate_multiplier"],
      [{ suffix: "../x" }, "suffix"],
      [{ suffix: "" }, "suffix"],
      [{ suffix: "x".repeat(65) }, "suffix"],
      [{ seed: -1 }, "seed"],
      [{ method: { type: "dpo" } }, "method.type"],
      [{ integrations: [{ type: "wandb", wandb: { project: "p" } }] }, "integrations"],
      [{ metadata: Object.fromEntries(Array.from({ length: 17 }, (_, i) => [`k${i}`, "v"])) }, "metadata"],
      [{ metadata: { k: "v".repeat(513) } }, "metadata.k"],
      [{ espalier: { method: "nope" } }, "espalier.method"],
      [{ espalier: { checkpoint_every: 0 } }, "espalier.checkpoint_every"],
      [{ espalier: { rnak: 8 } }, "espalier.rnak"],
    ]
    for (const [fields, param, status = 400] of cases) {
      const error = await failure(create(fields))
      expect([fields, error.param, error.status]).toEqual([fields, param, status])
    }
    expect(await failure(create({ suffix: "a b" }))).toBeInstanceOf(BadRequestError)
    expect(runner.runs).toEqual([])
  })

  test("takes hyperparameters from either place, and auto", async () => {
    const { create } = await listen()
    const old = await create({ hyperparameters: { n_epochs: 2, batch_size: "auto" } })
    expect(old.hyperparameters).toEqual({ n_epochs: 2, batch_size: 8, learning_rate_multiplier: 1 })
    const hyperparameters = { n_epochs: 4, learning_rate_multiplier: 0.5 }
    const job = await create({ method: { type: "supervised", supervised: { hyperparameters } } })
    expect(job.hyperparameters).toEqual({ n_epochs: 4, batch_size: 8, learning_rate_multiplier: 0.5 })
    expect(Number.isSafeInteger(job.seed)).toBe(true)
  })

  test("with an Idempotency-Key makes one job of many retries, also after a restart", async () => {
    const { create, client, temporary, close, file } = await listen()
    const options = { headers: { "Idempotency-Key": "job-1" } }
    const jobs = await Promise.all(Array.from({ length: 10 }, () => create({}, options)))
    expect(new Set(jobs.map(({ id }) => id)).size).toBe(1)
    expect(await failure(create({ seed: 3 }, options))).toBeInstanceOf(ConflictError)
    await over(client, jobs[0]!.id)
    await client.files.delete(file.id)
    expect((await create({}, options)).id).toBe(jobs[0]!.id)
    await close()
    await temporary.reopen()
    const again = await open(temporary)
    closers.push(() => again.close())
    const replayed = await again.client.fineTuning.jobs.create({ model: "base", training_file: file.id }, options)
    expect(replayed.id).toBe(jobs[0]!.id)
    expect((await again.client.fineTuning.jobs.list()).data).toHaveLength(1)
  })
})

test("GET /metrics tells of jobs, of the running one's progress and of files", async () => {
  const { client, create, runner, url } = await listen()
  const scrape = async () => (await fetch(url.replace("/v1", "/metrics"))).text()
  expect(await scrape()).toContain('espalier_jobs{status="running"} 0')
  runner.hold()
  const job = await create()
  await create()
  runner.allow(3)
  await until(client, job.id, ({ espalier }) => espalier!.step === 3)
  const text = await scrape()
  for (const line of [
    'espalier_jobs{status="running"} 1',
    'espalier_jobs{status="failed"} 0',
    "espalier_training_step 3",
    "espalier_training_steps 6",
    `espalier_training_loss ${1 / 3}`,
    "espalier_files 1",
    `espalier_file_bytes ${new TextEncoder().encode(rows).length}`,
  ]) {
    expect(text).toContain(`${line}\n`)
  }
  expect(text).not.toContain("train.jsonl")
})

describe("GET /v1/fine_tuning/jobs", () => {
  test("gives pages, newest first, and finds jobs by metadata", async () => {
    const { client, create, url } = await listen()
    const ids: string[] = []
    for (const metadata of [{ team: "a" }, { team: "b", run: "1" }, { team: "b", run: "2" }, undefined]) {
      ids.push((await create(metadata ? { metadata } : {})).id)
    }
    const all: string[] = []
    for await (const job of client.fineTuning.jobs.list({ limit: 3 })) all.push(job.id)
    expect(all).toEqual([...ids].reverse())
    const byMetadata = async (metadata: Record<string, string> | null) =>
      (await client.fineTuning.jobs.list({ metadata })).data.map(({ id }) => ids.indexOf(id))
    expect(await byMetadata({ team: "b" })).toEqual([2, 1])
    expect(await byMetadata({ team: "b", run: "1" })).toEqual([1])
    expect(await byMetadata({ team: "c" })).toEqual([])
    expect((await (await fetch(`${url}/fine_tuning/jobs?metadata=null`)).json()).data).toHaveLength(1)
    for (const query of ["limit=0", "limit=101", "after=ftjob-nobody"]) {
      expect((await fetch(`${url}/fine_tuning/jobs?${query}`)).status).toBe(400)
    }
  })

  test("answers 404 for a job that is none, on every route of it", async () => {
    const { client } = await listen()
    const { jobs } = client.fineTuning
    for (const ask of [
      () => jobs.retrieve("ftjob-x"),
      () => jobs.cancel("ftjob-x"),
      () => jobs.pause("ftjob-x"),
      () => jobs.resume("ftjob-x"),
      () => jobs.listEvents("ftjob-x"),
      () => jobs.checkpoints.list("ftjob-x"),
    ]) {
      expect(await failure(ask() as Promise<unknown>)).toBeInstanceOf(NotFoundError)
    }
  })
})

describe("DELETE /v1/models/{id}", () => {
  test("keeps to what jobs made", async () => {
    const { app, client } = await listen()
    await app.post("/v1/adapters", { name: "by-hand", path: "by-hand" })
    expect(await failure(client.models.delete("base"))).toBeInstanceOf(ConflictError)
    const error = await failure(client.models.delete("by-hand"))
    expect(error).toBeInstanceOf(ConflictError)
    expect(error.message).toContain("DELETE /v1/adapters/by-hand")
    expect(await failure(client.models.delete("nobody"))).toBeInstanceOf(NotFoundError)
  })
})

test("more models than memory holds all answer, and one that was loaded by hand stays", async () => {
  const { app, client, create } = await listen({ maxAdapters: 3 })
  await app.post("/v1/adapters", { name: "by-hand", path: "by-hand" })
  const models: string[] = []
  for (let i = 0; i < 5; i++) models.push((await over(client, (await create()).id)).fine_tuned_model!)
  const ask = async (model: string) =>
    (await client.completions.create({ model, prompt: "x", max_tokens: 6, temperature: 0 })).choices[0]!.text
  const first = await Promise.all(models.map(ask))
  expect(new Set(first).size).toBeGreaterThan(1)
  for (const i of [4, 0, 3, 1, 2, 0]) expect(await ask(models[i]!)).toBe(first[i]!)
  const loaded = (await app.engine.list()).map(({ name }) => name)
  expect(loaded).toContain("by-hand")
  // The two that were asked last are those in memory.
  expect(loaded).toEqual(expect.arrayContaining([models[2]!, models[0]!]))
  expect((await client.models.list()).data).toHaveLength(7)
})

describe("a server that starts again", () => {
  test("goes on with what was running, and has every model, which loads at its first request", async () => {
    const { client, create, runner, temporary, close } = await listen()
    const done = await over(client, (await create()).id)
    const gone = await over(client, (await create()).id)
    await client.models.delete(gone.fine_tuned_model!)
    runner.hold()
    const [half, waits, paused] = [await create(), await create(), await create()]
    runner.allow(3)
    await until(client, half.id, ({ espalier }) => espalier!.step === 3)
    await client.fineTuning.jobs.pause(paused.id)
    await close()
    await temporary.reopen()
    const again = await open(temporary)
    closers.push(() => again.close())
    expect((await over(again.client, half.id)).status).toBe("succeeded")
    expect((await over(again.client, waits.id)).status).toBe("succeeded")
    expect(again.runner.runs.map(({ id }) => id)).toEqual([half.id, waits.id])
    expect((await again.client.fineTuning.jobs.retrieve(paused.id)).status).toBe("queued")
    const loaded = (await again.app.engine.list()).map(({ name }) => name)
    expect(loaded).not.toContain(done.fine_tuned_model!)
    const models = (await again.client.models.list()).data.map(({ id }) => id)
    expect(models).toContain(done.fine_tuned_model!)
    expect(models).not.toContain(gone.fine_tuned_model!)
    const asks = Array.from({ length: 5 }, () =>
      again.client.completions.create({ model: done.fine_tuned_model!, prompt: "x", max_tokens: 3 }),
    )
    for (const answer of await Promise.all(asks)) expect(answer.choices[0]!.text).toHaveLength(3)
  })

  test("after its database was damaged still has every model, and takes new files and jobs", async () => {
    const { client, create, temporary, close } = await listen()
    const model = (await over(client, (await create()).id)).fine_tuned_model!
    const contents = await temporary.store.contents.list()
    await close()
    const path = join(temporary.folder, "jobs.sqlite")
    writeFileSync(path, readFileSync(path).fill(0x5a, 100))
    rmSync(`${path}-wal`, { force: true })
    await temporary.reopen()
    const again = await open(temporary)
    closers.push(() => again.close())
    expect(readdirSync(temporary.folder).some((name) => name.startsWith("jobs.sqlite.damaged-"))).toBe(true)
    expect((await again.client.models.list()).data.map(({ id }) => id)).toEqual(["base", model])
    const answer = await again.client.completions.create({ model, prompt: "x", max_tokens: 3 })
    expect(answer.choices[0]!.text).toHaveLength(3)
    expect(await temporary.store.contents.list()).toEqual(contents)
    const file = await again.client.files.create({
      file: await toFile(new TextEncoder().encode(rows), "train.jsonl"),
      purpose: "fine-tune",
    })
    const job = await again.client.fineTuning.jobs.create({ model: "base", training_file: file.id })
    expect((await over(again.client, job.id)).status).toBe("succeeded")
    expect((await again.client.models.delete(model)).deleted).toBe(true)
  })

  test("goes on with a job that a crash left running, and gives up one that ends it each time", async () => {
    const temporary = await temporaryStore()
    closers.push(() => temporary.remove())
    let opened = await open(temporary)
    const file = await opened.client.files.create({
      file: await toFile(new TextEncoder().encode(rows), "train.jsonl"),
      purpose: "fine-tune",
    })
    opened.runner.hold()
    const job = await opened.client.fineTuning.jobs.create({ model: "base", training_file: file.id })
    await until(opened.client, job.id, ({ status }) => status === "running")
    /** As a server leaves it that was killed in the middle of it, and that so many times before. */
    const crash = async (before: number): Promise<void> => {
      await opened.close()
      const { database } = await temporary.reopen()
      const sql = "UPDATE jobs SET status = 'running', crashes = ? WHERE id = ? AND status = 'queued'"
      expect(database.run(sql, before, job.id)).toBe(1)
      opened = await open(temporary)
      opened.runner.hold()
    }
    await crash(0)
    await until(opened.client, job.id, ({ status }) => status === "running")
    expect(await messagesOf(opened.client, job.id)).toContain(
      "The server was restarted: the job goes on from its last checkpoint",
    )
    opened.runner.allow(2)
    while ((await opened.client.fineTuning.jobs.checkpoints.list(job.id)).data.length === 0) await Bun.sleep(2)
    // Whoever reaches a checkpoint is given as many tries again.
    expect(temporary.store.database.get("SELECT crashes FROM jobs")).toEqual({ crashes: 0 })
    await crash(20)
    const failed = await opened.client.fineTuning.jobs.retrieve(job.id)
    expect([failed.status, failed.error?.code]).toEqual(["failed", "server_crashed"])
    expect(opened.runner.runs).toEqual([])
    await opened.close()
  })
})

test("a server without a store says so", async () => {
  const app = await createFakeApp()
  const response = await app.get("/v1/fine_tuning/jobs")
  expect([response.status, (await response.json()).error.code]).toEqual([400, "unsupported"])
})
