/**
 * @module The store of files and jobs behind `espalier serve`.
 */
import { resolve } from "node:path"
import { isEspalierError } from "../core/errors.ts"
import type { JobStore } from "../jobs/job-store.ts"
import { openStore } from "../presets/open-store.ts"
import type { Io } from "./command.ts"
import { describeError } from "./io.ts"

/** Where the store is unless `--store` says otherwise. */
const DEFAULT_FOLDER = "espalier-store"

/**
 * Opens the store, or none. Where nobody asked for one, a server without files and jobs is better than no server: two
 * servers that are started side by side would both take the default folder.
 * @param given `--store`
 * @throws {EspalierError} If the folder that was asked for can't be used.
 */
export async function openServedStore(given: string | undefined, io: Io): Promise<JobStore | null> {
  if (given === "off") return null
  try {
    const { store, quarantined } = await openStore(resolve(given ?? DEFAULT_FOLDER))
    if (quarantined !== null) {
      io.err(
        `The job store was damaged and has been moved to ${quarantined}. A new one was begun: files and jobs of before are not listed, their contents and adapters are still there\n`,
      )
    }
    return store
  } catch (error) {
    if (given !== undefined || !isEspalierError(error)) throw error
    io.err(`Without files and fine-tuning jobs. ${describeError(error)}`)
    return null
  }
}
