/**
 * @module The store of files and fine-tuning jobs in a folder of this machine.
 */
import { readdir } from "node:fs/promises"
import { join } from "node:path"
import { type JobStore, openJobStore } from "../jobs/job-store.ts"
import { openContentStore } from "../store/content-store.ts"
import { openDatabase } from "./open-database.ts"

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
  const { database, quarantined } = await openDatabase(join(folder, "jobs.sqlite"))
  try {
    const contents = await openContentStore(join(folder, "files"))
    // Contents that only a damaged database names wait for whoever mends it.
    return { store: await openJobStore(database, contents, { sweep: !(await hasDamaged(folder)) }), quarantined }
  } catch (error) {
    database.close()
    throw error
  }
}
