/**
 * @module A disk that is full, as an error that says so: what was asked for is not done, and can be asked for again.
 */
import { EspalierError } from "../core/errors.ts"

/** The same error, or what a full disk or database means. */
export function asStorageError(error: unknown): unknown {
  if (!isStorageFull(error)) return error
  return new EspalierError("storage_full", "This server's disk is full: nothing was kept of this", {
    hint: "Delete files or models that are not needed any longer, and try again",
    cause: error,
  })
}

/** Node's and SQLite's own errors; `node:sqlite` says it in words. */
function isStorageFull(error: unknown): boolean {
  if (!(error instanceof Error)) return false
  const { code } = error as { readonly code?: unknown }
  return (
    code === "ENOSPC" || code === "EDQUOT" || code === "SQLITE_FULL" || /database or disk is full/.test(error.message)
  )
}
