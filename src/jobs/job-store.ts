/**
 * @module What everything about files and jobs works with: the database, the contents, a clock and a source of ids.
 */
import { createExclusive, type Exclusive } from "../core/exclusive.ts"
import type { ContentStore } from "../store/content-store.ts"
import { type Database, migrate } from "../store/database.ts"
import { isContentNeeded } from "./file-table.ts"
import { storeSchema } from "./schema.ts"

/** A store of files and jobs. */
export interface JobStore {
  readonly database: Database
  readonly contents: ContentStore
  /** Held while contents are kept or removed, so that none is removed that is about to be needed. */
  readonly tidying: Exclusive
  /** Removes those contents that nothing needs any longer. */
  removeUnneeded(hashes: readonly (string | undefined)[]): Promise<void>
  /** Milliseconds since 1970. */
  readonly now: () => number
  /** A fresh, unguessable id in lower-case hex. */
  readonly newId: () => string
}

/** Options of {@link openJobStore}. */
export interface JobStoreOptions {
  /** @default {Date.now} */
  readonly now?: () => number
  /** @default {crypto.randomUUID} without its dashes */
  readonly newId?: () => string
  /** Remove contents that nothing names. @default {true} */
  readonly sweep?: boolean
}

/**
 * Brings the tables up to date and removes contents that nothing names: those of an upload that a crash cut off.
 * @throws {EspalierError} `unsupported` for a store of a later version.
 */
export async function openJobStore(
  database: Database,
  contents: ContentStore,
  options: JobStoreOptions = {},
): Promise<JobStore> {
  migrate(database, storeSchema)
  if (options.sweep ?? true) await sweep(database, contents)
  const tidying = createExclusive()
  return {
    database,
    contents,
    tidying,
    removeUnneeded: (hashes) =>
      tidying.run(async () => {
        for (const sha256 of hashes) {
          if (sha256 !== undefined && !isContentNeeded(database, sha256)) await contents.remove(sha256)
        }
      }),
    now: options.now ?? Date.now,
    newId: options.newId ?? (() => crypto.randomUUID().replaceAll("-", "")),
  }
}

async function sweep(database: Database, contents: ContentStore): Promise<void> {
  for (const sha256 of await contents.list()) {
    if (!isContentNeeded(database, sha256)) await contents.remove(sha256)
  }
}
