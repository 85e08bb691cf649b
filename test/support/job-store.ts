/**
 * @module A store of files and jobs in a temporary folder, as the server opens it.
 */
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import type { JobStore } from "../../src/jobs/job-store.ts"
import { openStore } from "../../src/presets/open-store.ts"

/** A store with its folder. */
export interface TemporaryStore {
  readonly folder: string
  readonly store: JobStore
  /** Opens the same folder anew, as a server does after a crash. */
  reopen(): Promise<JobStore>
  remove(): void
}

/** A fresh store. */
export async function temporaryStore(): Promise<TemporaryStore> {
  const folder = mkdtempSync(join(tmpdir(), "espalier-store-"))
  let { store } = await openStore(folder)
  return {
    folder,
    get store() {
      return store
    },
    async reopen() {
      store.database.close()
      store = (await openStore(folder)).store
      return store
    },
    remove() {
      store.database.close()
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

/** A row that training takes. */
export const rowOf = (question: string, answer: string): string =>
  `${JSON.stringify({
    messages: [
      { role: "user", content: question },
      { role: "assistant", content: answer },
    ],
  })}\n`
