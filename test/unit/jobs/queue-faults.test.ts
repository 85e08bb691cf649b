/**
 * @module Every write of a job's whole life fails once, one after the other: whatever was acknowledged is there, the job
 * ends once, and its end is the one that it would have had.
 */
import { expect, test } from "bun:test"
import { openAdapterShelf } from "../../../src/jobs/adapter-shelf.ts"
import { addEvents, listCheckpoints, listEvents } from "../../../src/jobs/event-table.ts"
import { addFile, listFiles } from "../../../src/jobs/file-table.ts"
import { isOver, type JobSpec } from "../../../src/jobs/job-record.ts"
import type { JobStore } from "../../../src/jobs/job-store.ts"
import { addJob, findJob } from "../../../src/jobs/job-table.ts"
import { startJobQueue } from "../../../src/jobs/queue.ts"
import type { Database } from "../../../src/store/database.ts"
import { createOnce } from "../../../src/store/idempotency.ts"
import { createFakeRunner } from "../../support/fake-runner.ts"
import { rowOf, type TemporaryStore, temporaryStore } from "../../support/job-store.ts"

/** A store whose n-th write fails, once. */
function failing(store: JobStore, n: number): { store: JobStore; isDone(): boolean } {
  let left = n
  const { database } = store
  const run: Database["run"] = (sql, ...values) => {
    if (--left === 0) throw new Error("EIO: the disk says no")
    return database.run(sql, ...values)
  }
  return { store: { ...store, database: { ...database, run } }, isDone: () => left <= 0 }
}

const page = { limit: 100, after: null, order: "asc" } as const
const ID = "ftjob-00112233445566778899aabbccddeeff"
const MODEL = "ft:base::001122334455"

/** Uploads a file and creates a job, as the service does; again until both are acknowledged. */
async function create(store: JobStore): Promise<void> {
  const { database, contents, now } = store
  async function* chunks() {
    yield new TextEncoder().encode(rowOf("Who?", "Mira"))
  }
  const arrived = await contents.receive(chunks(), 1000)
  await arrived.keep()
  const { sha256, bytes } = arrived
  const again = async (work: () => unknown): Promise<void> => {
    for (let tries = 0; tries < 2; tries++) {
      try {
        work()
        return
      } catch (error) {
        expect((error as Error).message).toContain("EIO")
      }
    }
    throw new Error("It failed twice")
  }
  const creation = { owner: "", key: "k", bodySha256: "b", now: now() }
  await again(() =>
    createOnce(database, { ...creation, scope: "file" }, () => {
      const file = { id: "file-1", owner: "", createdAt: now(), filename: "a.jsonl", sha256, bytes }
      addFile(database, { ...file, purpose: "fine-tune" })
      return file.id
    }),
  )
  const spec = {
    ...{ model: "base", suffix: null, method: "lora", maxSteps: null, validationFile: null },
    trainingFile: { id: "file-1", name: "a.jsonl", sha256 },
  } as unknown as JobSpec
  await again(() =>
    createOnce(database, { ...creation, scope: "job" }, () => {
      addJob(database, { id: ID, owner: "", createdAt: now(), baseHash: "b", spec, modelName: MODEL, metadata: null })
      addEvents(store, ID, [{ message: "Created" }])
      return ID
    }),
  )
}

/** A job's life with its n-th write failing. @returns whether there was an n-th write */
async function live(temporary: TemporaryStore, n: number): Promise<boolean> {
  const { store, isDone } = failing(temporary.store, n)
  await create(store)
  const queue = startJobQueue({
    ...{ store, runner: createFakeRunner(temporary.folder, "b"), baseHash: "b", retryMs: 1 },
    shelf: await openAdapterShelf(`${temporary.folder}/adapters`, "b", () => false),
    serve: async () => {},
    unserve: async () => {},
    onError: (error) => expect((error as Error).message).toContain("EIO"),
  })
  while (!isOver(findJob(temporary.store.database, ID)!.status)) await Bun.sleep(1)
  await queue.close()
  const { database } = temporary.store
  const job = findJob(database, ID)!
  const messages = listEvents(database, ID, page).items.map(({ message }) => message)
  const ends = messages.filter((message) => /successfully completed|The job failed/.test(message))
  expect([n, ends.length]).toEqual([n, 1])
  expect(listFiles(database, "", "fine-tune", page).items.map(({ id }) => id)).toEqual(["file-1"])
  if (job.status === "succeeded") {
    expect(job.model).toBe(MODEL)
    expect(listCheckpoints(database, ID, page).items.map(({ step }) => step)).toEqual([2, 4])
    for (let step = 1; step <= 6; step++)
      expect(messages.filter((message) => message.startsWith(`Step ${step}/6:`))).toHaveLength(1)
    expect(listFiles(database, "", "fine-tune-results", page).items).toHaveLength(1)
  } else {
    expect([n, job.status, job.model]).toEqual([n, "failed", null])
  }
  return isDone()
}

test("a write that fails once, whichever it is, loses nothing and ends nothing twice", async () => {
  const statuses = { succeeded: 0, failed: 0 }
  let n = 1
  for (let isLast = false; !isLast; n++) {
    const temporary = await temporaryStore()
    try {
      isLast = !(await live(temporary, n))
      statuses[findJob(temporary.store.database, ID)!.status as keyof typeof statuses]++
    } finally {
      temporary.remove()
    }
  }
  // So many writes there are in a job's life, and none of them costs it its success.
  expect(n).toBeGreaterThan(30)
  expect(statuses).toEqual({ succeeded: n - 1, failed: 0 })
}, 120_000)
