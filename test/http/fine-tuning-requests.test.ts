/**
 * @module /v1/fine_tuning/jobs through the official `openai` client: what is refused, lists, events as a stream, figures.
 */
import { afterAll, describe, expect, test } from "bun:test"
import { BadRequestError, ConflictError, NotFoundError } from "openai"
import { createFakeApp } from "../support/fake-app.ts"
import {
  closeAll,
  closeLater,
  failure,
  listen,
  messagesOf,
  open,
  over,
  rows,
  until,
} from "../support/fine-tuning-client.ts"

afterAll(closeAll)

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
    const unknown = await failure(create({ espalier: { rnak: 8 } }))
    expect(unknown.message).toContain("`espalier.rnak`: There is no field of this name")
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
    closeLater(() => again.close())
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

test("a job that is paused is said to be so, until it is cancelled", async () => {
  const { client, create, runner } = await listen()
  runner.hold()
  await create()
  const { id } = await create()
  const { jobs } = client.fineTuning
  await jobs.pause(id)
  expect((await failure(jobs.pause(id))).message).toContain("can't be paused: it is paused already")
  const cancelled = (await jobs.cancel(id)) as { status: string; espalier?: { paused: boolean } }
  expect([cancelled.status, cancelled.espalier?.paused]).toEqual(["cancelled", false])
  expect((await failure(jobs.resume(id))).message).toContain("can't be resumed: it is cancelled")
})

test("a job's model keeps its name, in memory or not", async () => {
  const { app, client, create } = await listen()
  const name = (await over(client, (await create()).id)).fine_tuned_model!
  for (const state of ["in memory", "on the shelf"]) {
    for (const replace of [true, false]) {
      const response = await app.post("/v1/adapters", { name, path: "by-hand", replace })
      const { error } = await response.json()
      expect([state, response.status, error.param]).toEqual([state, 409, "name"])
      expect(error.message).toContain("is the model of a fine-tuning job")
    }
    const load = { lora_name: name, lora_path: "by-hand", load_inplace: true }
    const body = await (await app.post("/v1/load_lora_adapter", load)).json()
    expect([body.error.param, body.error.message.includes("load_inplace")]).toEqual(["lora_name", false])
    await app.send(`/v1/adapters/${name}`, { method: "DELETE" })
  }
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

test("a server without a store says so", async () => {
  const app = await createFakeApp()
  const response = await app.get("/v1/fine_tuning/jobs")
  expect([response.status, (await response.json()).error.code]).toEqual([400, "unsupported"])
})
