/**
 * @module Files read at once, for a thread that has nothing else to do: each answer that is waited for takes a turn of another
 * thread and one of this, and where all cores are at work, a turn is milliseconds.
 */
import { closeSync, openSync, readdirSync, readFileSync, readSync, statSync } from "node:fs"
import type { FileAccess } from "./file-access.ts"

export const blockingAccess: FileAccess = {
  stat: async (path) => statSync(path),
  readdir: async (path) => readdirSync(path),
  readFile: async (path) => readFileSync(path),
  async open(path) {
    const file = openSync(path, "r")
    return {
      read: async (into, offset, length, position) => ({ bytesRead: readSync(file, into, offset, length, position) }),
      close: async () => closeSync(file),
    }
  },
}
