/**
 * @module A text file that only grows, line by line. Each line is one write to a file opened for appending: a process
 * that is killed leaves whole lines, but for at most the last.
 */
import { closeSync, openSync, writeSync } from "node:fs"
import { decodeUtf8, encodeUtf8 } from "../core/bytes.ts"
import { writeFileAtomic } from "./atomic.ts"
import { readFileIfThere } from "./file.ts"

/** An open file. */
export interface AppendFile {
  /** Adds a line; the newline is added here. */
  append(line: string): void
  /** Calling it twice is harmless; nothing can be appended afterwards. */
  close(): void
}

/**
 * Opens a file to append to, and makes it and its folder if they are not there.
 * @param keep what to keep of the text that stands in it. @default {nothing}
 */
export async function openAppendFile(path: string, keep: (text: string) => string = () => ""): Promise<AppendFile> {
  const bytes = await readFileIfThere(path)
  const before = bytes === null ? null : decodeUtf8(bytes)
  const kept = before === null ? "" : keep(before)
  if (kept !== before) await writeFileAtomic(path, encodeUtf8(kept))
  let file: number | null = openSync(path, "a")
  return {
    append(line) {
      if (file === null) throw new TypeError("The file is closed")
      writeSync(file, `${line}\n`)
    },
    close() {
      if (file !== null) closeSync(file)
      file = null
    },
  }
}
