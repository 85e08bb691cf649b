/**
 * @module The store of files and fine-tuning jobs in a folder of this machine.
 */
import { readdir } from "node:fs/promises"
import { join } from "node:path"
import { isEspalierError } from "../core/errors.ts"
import { openAdapterShelf } from "../jobs/adapter-shelf.ts"
import { damageOf } from "../jobs/check-rows.ts"
import { isOver } from "../jobs/job-record.ts"
import { type JobStore, openJobStore } from "../jobs/job-store.ts"
import { deletedModels, findJob, isModelHidden } from "../jobs/job-table.ts"
import { startJobQueue } from "../jobs/queue.ts"
import type { JobRunner } from "../jobs/runner.ts"
import type { EngineApi } from "../serve/engine-api.ts"
import type { Training } from "../service/context.ts"
import { openContentStore } from "../store/content-store.ts"
import { jobStore, openDatabase } from "./open-database.ts"
import { adaptersFolderOf } from "./run-job.ts"

/** A store that was opened. */
export interface OpenedStore {
  readonly store: JobStore
  /** Where the database went if it was found damaged; null where it was sound. */
  readonly quarantined: string | null
}

/** Whether a damaged database was ever moved aside here. */
const hasDamaged = async (folder: string): Promise<boolean> =>
  (await readdir(folder)).some((name) => name.startsWith("jobs.sqlite.damaged-"))

/**
 * Opens or makes the store.
 * @throws {EspalierError} `conflict` if another server has it open, `unavailable` where it can't be written or there is no
 *   SQLite.
 */
export async function openStore(folder: string): Promise<OpenedStore> {
  const { database, quarantined } = await openDatabase(join(folder, "jobs.sqlite"), { ...jobStore, damageOf })
  try {
    const contents = await openContentStore(join(folder, "files"))
    // Contents that only a damaged database names wait for whoever mends it.
    return { store: await openJobStore(database, contents, { sweep: !(await hasDamaged(folder)) }), quarantined }
  } catch (error) {
    database.close()
    throw error
  }
}

/** What trains the jobs of a store. */
export interface TrainingParts {
  readonly store: JobStore
  /** The store's folder. */
  readonly folder: string
  readonly engine: EngineApi
  readonly runner: JobRunner
  /** Gets what is our own fault. @default writes it to the console */
  readonly onError?: (error: unknown) => void
}

/** Shows the adapters that jobs made, and goes on with the jobs. */
export async function openTraining({ store, folder, engine, runner, onError }: TrainingParts): Promise<Training> {
  const { baseHash } = engine.info
  const { database } = store
  const adapters = adaptersFolderOf(folder)
  const shelf = await openAdapterShelf(adapters, baseHash, (model) => isModelHidden(database, model))
  for (const model of deletedModels(database)) await shelf.remove(model)
  // A crash may have come between a job's end and its tidying.
  for (const id of await readdir(join(folder, "runs")).catch(() => [] as string[])) {
    const job = findJob(database, id)
    if (job && isOver(job.status)) await runner.forget(id)
  }
  const queue = startJobQueue({
    ...{ store, runner, shelf, baseHash },
    serve: async (model, path) => void (await engine.load(model, { path }, { replace: true })),
    unserve: (model) =>
      engine.unload(model).catch((error: unknown) => {
        if (!isEspalierError(error, "not_found")) throw error
      }),
    onError: onError ?? ((error) => console.error("fine-tuning", error)),
  })
  return { queue, runner, shelf }
}
