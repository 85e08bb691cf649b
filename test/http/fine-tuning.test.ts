/**
 * @module /v1/fine_tuning/jobs through the official `openai` client, over a runner that trains nothing: every state of a job.
 */
import { afterAll, describe, expect, test } from "bun:test"
import { ConflictError, NotFoundError } from "openai"
import type { FineTuningJob } from "openai/resources/fine-tuning/jobs"
import { EspalierError } from "../../src/core/errors.ts"
import { closeAll, failure, listen, messagesOf, over, until } from "../support/fine-tuning-client.ts"

afterAll(closeAll)

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
