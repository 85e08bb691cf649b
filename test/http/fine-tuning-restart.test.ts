/**
 * @module Fine-tuned models over time: more of them than memory holds, and servers that start again.
 */
import { afterAll, describe, expect, test } from "bun:test"
import { readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { NotFoundError, toFile } from "openai"
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
import { temporaryStore } from "../support/job-store.ts"

afterAll(closeAll)

test("more models than memory holds all answer, and one that was loaded by hand is among them", async () => {
  const { app, client, create } = await listen({ maxAdapters: 3 })
  await app.post("/v1/adapters", { name: "by-hand", path: "by-hand" })
  const models: string[] = []
  for (let i = 0; i < 5; i++) models.push((await over(client, (await create()).id)).fine_tuned_model!)
  const ask = async (model: string) =>
    (await client.completions.create({ model, prompt: "x", max_tokens: 6, temperature: 0 })).choices[0]!.text
  const first = await Promise.all(models.map(ask))
  expect(new Set(first).size).toBeGreaterThan(1)
  for (const i of [4, 0, 3, 1, 2, 0]) expect(await ask(models[i]!)).toBe(first[i]!)
  const loaded = await app.engine.list()
  // All are listed; those that were asked last are in memory.
  expect(loaded.map(({ name }) => name)).toEqual(["by-hand", ...models].sort())
  expect(loaded.filter(({ resident }) => resident).map(({ name }) => name)).toEqual(
    [models[1]!, models[2]!, models[0]!].sort(),
  )
  expect(await ask("by-hand")).toHaveLength(6)
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
    closeLater(() => again.close())
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

  test("has a model again that was unloaded, and not one that was deleted", async () => {
    const { client, app, create, temporary, close } = await listen()
    const [unloaded, deleted] = [
      (await over(client, (await create()).id)).fine_tuned_model!,
      (await over(client, (await create()).id)).fine_tuned_model!,
    ]
    type Opened = Pick<Awaited<ReturnType<typeof open>>, "client" | "app">
    const ask = ({ client }: Pick<Opened, "client">, model: string) =>
      client.completions.create({ model, prompt: "x", max_tokens: 3, temperature: 0 })
    const loadedIn = async ({ app }: Pick<Opened, "app">) => (await app.engine.list()).map(({ name }) => name)
    const golden = (await ask({ client }, unloaded)).choices[0]!.text
    await ask({ client }, deleted)

    const response = await app.send(`/v1/adapters/${unloaded}`, { method: "DELETE" })
    expect(await response.json()).toEqual({ id: unloaded, object: "adapter", deleted: true })
    expect(await loadedIn({ app })).toEqual([deleted])
    expect((await client.models.retrieve(unloaded)).id).toBe(unloaded)
    expect((await client.models.delete(deleted)).deleted).toBe(true)

    const check = async (opened: Opened): Promise<void> => {
      expect((await opened.client.models.list()).data.map(({ id }) => id)).toEqual(["base", unloaded])
      expect((await ask(opened, unloaded)).choices[0]!.text).toBe(golden)
      expect(await loadedIn(opened)).toEqual([unloaded])
      expect(await failure(ask(opened, deleted))).toBeInstanceOf(NotFoundError)
      expect(await failure(opened.client.models.retrieve(deleted))).toBeInstanceOf(NotFoundError)
      expect(await failure(opened.client.models.delete(deleted))).toBeInstanceOf(NotFoundError)
      const adapter = await opened.app.send(`/v1/adapters/${deleted}`, { method: "DELETE" })
      expect(adapter.status).toBe(404)
    }
    await check({ client, app })
    await close()
    await temporary.reopen()
    const again = await open(temporary)
    closeLater(() => again.close())
    await check(again)
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
    closeLater(() => again.close())
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
    closeLater(() => temporary.remove())
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
