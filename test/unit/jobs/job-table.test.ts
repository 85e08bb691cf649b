/**
 * @module Every change of a job's status that there is, and none that there is not.
 */
import { afterAll, beforeAll, describe, expect, test } from "bun:test"
import { addCheckpoint, addEvents, listCheckpoints, listEvents } from "../../../src/jobs/event-table.ts"
import type { JobSpec, JobStatus } from "../../../src/jobs/job-record.ts"
import {
  addJob,
  changeJob,
  deletedModels,
  findJob,
  isModelHidden,
  jobsIn,
  markModelDeleted,
  moveJob,
  nextJob,
} from "../../../src/jobs/job-table.ts"
import { type TemporaryStore, temporaryStore } from "../../support/job-store.ts"

let temporary: TemporaryStore
beforeAll(async () => {
  temporary = await temporaryStore()
})
afterAll(() => temporary.remove())
const database = () => temporary.store.database

const spec: JobSpec = {
  model: "base",
  suffix: null,
  seed: 1,
  trainingFile: { id: "file-1", name: "a.jsonl", sha256: "0".repeat(64) },
  validationFile: null,
  epochs: 1,
  batchSize: 1,
  rateMultiplier: 1,
  method: "lora",
  settings: { rank: 2 },
  learningRate: null,
  maxSteps: null,
  maxLength: null,
  heldoutPart: 0,
  evaluateEvery: null,
  patience: null,
  checkpointEvery: 50,
  lossOn: "completion",
  maxForgetting: null,
}
let count = 0
/** A job of a status. */
function job(status: JobStatus = "validating_files", baseHash = "b"): string {
  const id = `ftjob-${count++}`
  addJob(database(), { id, owner: "", createdAt: 5, baseHash, spec, modelName: `ft:base::${id}`, metadata: { k: "v" } })
  database().run("UPDATE jobs SET status = ? WHERE id = ?", status, id)
  return id
}
const page = { limit: 100, after: null, order: "asc" } as const

const allowed: Readonly<Record<JobStatus, readonly JobStatus[]>> = {
  validating_files: ["queued", "failed", "cancelled"],
  queued: ["running", "failed", "cancelled"],
  running: ["queued", "succeeded", "failed", "cancelled"],
  succeeded: [],
  failed: [],
  cancelled: [],
}
const statuses = Object.keys(allowed) as JobStatus[]

describe("moveJob()", () => {
  for (const from of statuses) {
    for (const to of statuses) {
      const isAllowed = allowed[from].includes(to)
      test(`${from} to ${to}: ${isAllowed ? "yes" : "never"}`, () => {
        const id = job(from)
        if (!isAllowed) {
          expect(() => moveJob(database(), id, [from], to)).toThrow("never")
          expect(findJob(database(), id)!.status).toBe(from)
          return
        }
        expect(moveJob(database(), id, [from], to, { step: 3, error: { code: "c", message: "m", param: null } })).toBe(
          true,
        )
        expect(findJob(database(), id)).toMatchObject({ status: to, step: 3, error: { code: "c" } })
        // A second one comes too late.
        expect(moveJob(database(), id, [from], to, { step: 9 })).toBe(false)
        expect(findJob(database(), id)!.step).toBe(3)
      })
    }
  }
})

describe("jobs", () => {
  test("are read as they were written", () => {
    const id = job()
    expect(findJob(database(), id)).toEqual({
      id,
      owner: "",
      createdAt: 5,
      finishedAt: null,
      status: "validating_files",
      paused: false,
      baseHash: "b",
      spec,
      metadata: { k: "v" },
      threads: null,
      step: 0,
      steps: null,
      estimatedFinish: null,
      trainedTokens: null,
      modelName: `ft:base::${id}`,
      model: null,
      resultFile: null,
      error: null,
      crashes: 0,
    })
    expect(findJob(database(), "ftjob-nobody")).toBeNull()
  })

  test("run in the order of creation, over their own base, unless they are paused", () => {
    const [a, b, other] = [job("queued", "n"), job("queued", "n"), job("queued", "m")]
    expect(nextJob(database(), "n")!.id).toBe(a)
    changeJob(database(), a, { paused: true })
    expect(nextJob(database(), "n")!.id).toBe(b)
    expect(nextJob(database(), "m")!.id).toBe(other)
    expect(nextJob(database(), "nobody's")).toBeNull()
    expect(jobsIn(database(), "queued").map(({ id }) => id)).toEqual(expect.arrayContaining([a, b, other]))
  })

  test("show their models only once they succeeded, until they are deleted", () => {
    const id = job("running")
    const model = `ft:base::${id}`
    expect(isModelHidden(database(), model)).toBe(true)
    expect(isModelHidden(database(), `${model}:ckpt-step-5`)).toBe(true)
    addCheckpoint(temporary.store, { job: id, step: 5, model: `${model}:ckpt-step-5`, metrics: {} })
    expect(isModelHidden(database(), `${model}:ckpt-step-5`)).toBe(false)
    moveJob(database(), id, ["running"], "succeeded", { model })
    expect(isModelHidden(database(), model)).toBe(false)
    markModelDeleted(database(), model)
    expect(isModelHidden(database(), model)).toBe(true)
    expect(deletedModels(database())).toEqual([model])
    // Of a model that a database knows nothing of, its folder speaks.
    expect(isModelHidden(database(), "ft:base::ffff")).toBe(false)
  })
})

describe("events and checkpoints", () => {
  test("that are told again are told once", () => {
    const id = job()
    addEvents(temporary.store, id, [{ message: "one", once: "a" }, { message: "plain" }])
    addEvents(temporary.store, id, [{ message: "one again", once: "a" }, { message: "plain" }])
    addEvents(temporary.store, job(), [{ message: "another job's", once: "a" }])
    const { items } = listEvents(database(), id, page)
    expect(items.map(({ message }) => message)).toEqual(["one", "plain", "plain"])
    expect(items[0]).toMatchObject({ level: "info", type: "message", data: {} })
  })

  test("are written all or none", () => {
    const id = job()
    const bad = { message: null as unknown as string }
    expect(() => addEvents(temporary.store, id, [{ message: "one" }, bad])).toThrow()
    expect(listEvents(database(), id, page).items).toEqual([])
  })

  test("of which the latest three are kept as models", () => {
    const id = job()
    const add = (step: number) =>
      addCheckpoint(temporary.store, { job: id, step, model: `m${step}`, metrics: { step } })
    expect([2, 4, 6, 6, 8, 10].map(add)).toEqual([[], [], [], [], ["m2"], ["m4"]])
    expect(listCheckpoints(database(), id, page).items.map(({ step, metrics }) => [step, metrics])).toEqual([
      [6, { step: 6 }],
      [8, { step: 8 }],
      [10, { step: 10 }],
    ])
  })
})
