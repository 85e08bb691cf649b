/**
 * @module How jobs come into the queue: new ones once their files were looked at, those of a server that died at once.
 */
import { addEvents } from "./event-table.ts"
import { failJob, jobErrorOf } from "./job-end.ts"
import type { JobStore } from "./job-store.ts"
import { findJob, jobsIn, moveJob } from "./job-table.ts"

/** A job that ends the server so often, without a checkpoint in between, is not tried again. */
const MOST_CRASHES = 20

/**
 * Lets a new job in if its files' bytes are still those that were uploaded, every one; else ends it.
 * @throws What kept the store from being written: the job is as it was.
 */
export async function admitJob(store: JobStore, id: string): Promise<void> {
  const { database, contents } = store
  const job = findJob(database, id)
  if (job?.status !== "validating_files") return
  const files = [
    ["training_file", job.spec.trainingFile],
    ["validation_file", job.spec.validationFile],
  ] as const
  for (const [param, file] of files) {
    if (!file) continue
    try {
      await contents.verify(file.sha256)
    } catch (error) {
      failJob(store, id, "validating_files", { ...jobErrorOf(error), param })
      return
    }
  }
  database.transaction(() => {
    if (!moveJob(database, id, ["validating_files"], "queued")) return
    addEvents(store, id, [{ message: "Files validated, moving job to queued state" }])
  })
}

/** Puts what a server that died left running back into the queue, whose head it is: the order is that of creation. */
export function recoverJobs(store: JobStore): void {
  const { database } = store
  for (const { id, crashes } of jobsIn(database, "running")) {
    if (crashes + 1 > MOST_CRASHES) {
      const message = `The server ended ${crashes + 1} times in the middle of this job without reaching a checkpoint`
      failJob(store, id, "running", { code: "server_crashed", message, param: null })
      continue
    }
    database.transaction(() => {
      moveJob(database, id, ["running"], "queued", { crashes: crashes + 1 })
      const message = "The server was restarted: the job goes on from its last checkpoint"
      addEvents(store, id, [{ message, level: "warn" }])
    })
  }
}
