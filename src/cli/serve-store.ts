/**
 * @module The store of files and jobs behind `espalier serve`.
 */
import { resolve } from "node:path"
import { isEspalierError } from "../core/errors.ts"
import type { JobStore } from "../jobs/job-store.ts"
import { openDocuments } from "../presets/open-documents.ts"
import { openStore, openTraining } from "../presets/open-store.ts"
import type { TrainerSettings } from "../presets/run-job.ts"
import { trainingThreads } from "../presets/training-thread.ts"
import type { DocumentIndex } from "../rag/document-index.ts"
import type { EngineApi } from "../serve/engine-api.ts"
import type { Training } from "../service/context.ts"
import type { Io } from "./command.ts"
import { describeError } from "./io.ts"

/** A store and its folder. */
export interface ServedStore {
  readonly store: JobStore
  readonly folder: string
}

/** Where the store is unless `--store` says otherwise. */
export const DEFAULT_STORE = "espalier-store"

/**
 * Opens the store, or none. Where nobody asked for one, a server without files and jobs is better than no server: two
 * servers that are started side by side would both take the default folder.
 * @param given `--store`
 * @throws {EspalierError} If the folder that was asked for can't be used.
 */
export async function openServedStore(given: string | undefined, io: Io): Promise<ServedStore | null> {
  if (given === "off") return null
  try {
    const folder = resolve(given ?? DEFAULT_STORE)
    const { store, quarantined } = await openStore(folder)
    if (quarantined !== null) {
      io.err(
        `The job store was damaged and has been moved to ${quarantined}. A new one was begun: files and jobs of before are not listed, their contents and adapters are still there\n`,
      )
    }
    return { store, folder }
  } catch (error) {
    if (given !== undefined || !isEspalierError(error)) throw error
    io.err(`Without files and fine-tuning jobs. ${describeError(error)}`)
    return null
  }
}

/**
 * Opens the documents, or none: beside the store unless `--documents` says otherwise, and without an error where nobody
 * asked for them.
 * @throws {EspalierError} If the folder that was asked for can't be used.
 */
export async function openServedDocuments(
  given: string | undefined,
  {
    store,
    base,
    embedder,
    engine,
  }: {
    readonly store: string | undefined
    readonly base: string
    readonly embedder: string | undefined
    readonly engine: EngineApi
  },
  io: Io,
): Promise<DocumentIndex | null> {
  if (given === "off" || (given === undefined && store === "off")) return null
  try {
    return await openDocuments({
      folder: given ?? store ?? DEFAULT_STORE,
      base,
      ...(embedder !== undefined && { embedder }),
      engine: async () => engine,
    })
  } catch (error) {
    if (given !== undefined || embedder !== undefined || !isEspalierError(error)) throw error
    io.err(`Without documents. ${describeError(error)}`)
    return null
  }
}

/** Goes on with the store's jobs, each in a thread of its own. */
export function openServedTraining(
  { store, folder }: ServedStore,
  engine: EngineApi,
  settings: Omit<TrainerSettings, "store">,
): Promise<Training> {
  const worker = new URL("../entry/training-worker.ts", import.meta.url)
  return openTraining({ store, folder, engine, runner: trainingThreads(worker, { ...settings, store: folder }) })
}
