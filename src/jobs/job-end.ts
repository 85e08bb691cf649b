/**
 * @module The ends of a job, each written as a whole: its status, its events, its file of metrics.
 */
import { encodeUtf8 } from "../core/bytes.ts"
import { type EspalierError, isEspalierError } from "../core/errors.ts"
import { addEvents } from "./event-table.ts"
import { addFile } from "./file-table.ts"
import type { JobError, JobStatus } from "./job-record.ts"
import type { JobStore } from "./job-store.ts"
import { findJob, moveJob } from "./job-table.ts"
import type { JobOutcome } from "./runner.ts"

type Completed = Extract<JobOutcome, { status: "completed" }>

/** Ends a job that ran through, unless it was cancelled meanwhile. */
export async function completeJob(store: JobStore, id: string, outcome: Completed): Promise<void> {
  const metrics = await store.contents.receive(once(encodeUtf8(outcome.metrics)), Number.POSITIVE_INFINITY)
  try {
    await store.tidying.run(async () => {
      await metrics.keep()
      store.database.transaction(() => finish(store, id, outcome, metrics))
    })
  } finally {
    await metrics.discard()
  }
}

function finish(
  store: JobStore,
  id: string,
  { step, trainedTokens, heldBack }: Completed,
  { sha256, bytes }: { readonly sha256: string; readonly bytes: number },
): void {
  const { database } = store
  const { owner, modelName: model } = findJob(database, id)!
  const createdAt = store.now()
  const resultFile = `file-${store.newId()}`
  const change = { finishedAt: createdAt, estimatedFinish: null, step, trainedTokens, resultFile }
  if (heldBack !== null) {
    const error = { code: "held_back", message: heldBack, param: null }
    if (!moveJob(database, id, ["running"], "failed", { ...change, error })) return
    addEvents(store, id, [{ message: heldBack, level: "error" }])
  } else {
    if (!moveJob(database, id, ["running"], "succeeded", { ...change, model })) return
    addEvents(store, id, [
      { message: `New fine-tuned model created: ${model}` },
      { message: "The job has successfully completed" },
    ])
  }
  const file = { id: resultFile, owner, createdAt, filename: "step_metrics.csv", sha256, bytes }
  addFile(database, { ...file, purpose: "fine-tune-results" })
}

/** Ends a job that can't be trained, unless it is over. */
export function failJob(store: JobStore, id: string, from: JobStatus, error: JobError): void {
  const { database } = store
  database.transaction(() => {
    const change = { finishedAt: store.now(), estimatedFinish: null, error }
    if (!moveJob(database, id, [from], "failed", change)) return
    addEvents(store, id, [{ message: `The job failed: ${error.message}`, level: "error" }])
  })
}

/** What went wrong, without anything that is nobody's business. */
export function jobErrorOf(error: unknown): JobError {
  if (!isEspalierError(error) || error.code === "internal") {
    return { code: "internal", message: "The training run failed: the server's log says why", param: null }
  }
  const { code, message, hint, param } = error as EspalierError
  return { code, message: hint === undefined ? message : `${message}. ${hint}`, param: param ?? null }
}

async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array, void, undefined> {
  yield bytes
}
