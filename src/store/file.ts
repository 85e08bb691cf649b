/**
 * @module Single files that may not be there yet.
 */
import { readFile, rm } from "node:fs/promises"

/** A file's bytes, or null where there is none. */
export async function readFileIfThere(path: string): Promise<Uint8Array | null> {
  try {
    return new Uint8Array(await readFile(path))
  } catch (error) {
    if ((error as { code?: unknown }).code === "ENOENT") return null
    throw error
  }
}

/** Removes a file; that there is none is fine. */
export async function removeFile(path: string): Promise<void> {
  await rm(path, { force: true })
}
