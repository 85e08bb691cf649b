/**
 * @module Single files: some that may not be there yet, and reads and writes that are whole whatever the system does in
 * one call. A write to a disk that fills up stores a part and reports no error, and no call moves 2 GiB or more.
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

/** Bytes of one call at most. */
const PIECE = 2 ** 30

/** What {@link readAt} needs of an open file. */
export interface ReadableFile {
  read(into: Uint8Array, offset: number, length: number, position: number): Promise<{ readonly bytesRead: number }>
}

/** What {@link writeAt} needs of an open file. */
export interface WritableFile {
  write(from: Uint8Array, offset: number, length: number, position: number): Promise<{ readonly bytesWritten: number }>
}

/** Fills `into` from byte `position` of a file on. @returns bytes read: fewer only where the file ends before */
export async function readAt(file: ReadableFile, into: Uint8Array, position: number): Promise<number> {
  let done = 0
  while (done < into.length) {
    const { bytesRead } = await file.read(into, done, Math.min(PIECE, into.length - done), position + done)
    if (bytesRead === 0) break
    done += bytesRead
  }
  return done
}

/** Writes all of `bytes` at byte `position` of a file. @throws {Error} If the system takes no more. */
export async function writeAt(file: WritableFile, bytes: Uint8Array, position: number): Promise<void> {
  let done = 0
  while (done < bytes.length) {
    const { bytesWritten } = await file.write(bytes, done, Math.min(PIECE, bytes.length - done), position + done)
    if (bytesWritten === 0) throw new Error(`Wrote ${done} of ${bytes.length} bytes: the file takes no more`)
    done += bytesWritten
  }
}
