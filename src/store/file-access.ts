/**
 * @module How a folder on disk is read: what is asked of the system, and the usual way to ask, which waits for answers and lets
 * others go on. The other way is `blocking-access.ts`.
 */
import type { Stats } from "node:fs"
import { open, readdir, readFile, stat } from "node:fs/promises"
import type { ReadableFile } from "./file.ts"

/** Reads files by path. Errors are the system's own. */
export interface FileAccess {
  stat(path: string): Promise<Pick<Stats, "ino" | "size" | "mtimeMs" | "isFile">>
  readdir(path: string): Promise<string[]>
  readFile(path: string): Promise<Uint8Array>
  /** Opens a file to be read. */
  open(path: string): Promise<ReadableFile & { close(): Promise<void> }>
}

export const waitingAccess: FileAccess = {
  stat: (path) => stat(path),
  readdir: (path) => readdir(path),
  readFile: (path) => readFile(path),
  open: (path) => open(path, "r"),
}
