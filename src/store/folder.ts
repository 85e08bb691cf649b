/**
 * @module A folder of files, read only: on disk or in memory. Names are confined to the folder.
 */
import { open, readdir, readFile, stat } from "node:fs/promises"
import { basename, join } from "node:path"
import { freeNow } from "../core/bytes.ts"
import { EspalierError } from "../core/errors.ts"
import { readAt } from "./file.ts"

/** Files by name. */
export interface Folder {
  /** For messages. */
  readonly name: string
  /** A key that changes when a file does, for caches; null where there is none. */
  stamp(file: string): Promise<string | null>
  list(): Promise<string[]>
  size(file: string): Promise<number>
  read(file: string): Promise<Uint8Array>
  /**
   * Bytes [start, end).
   * @param into a buffer of at least as many bytes that they may come in, where a caller reads much and keeps nothing
   */
  readRange(file: string, start: number, end: number, into?: Uint8Array): Promise<Uint8Array>
  /** {@link beginningOf} in fewer calls, where a folder can do that. */
  beginning?(file: string, most: number): Promise<Beginning>
  /** A whole file without waiting for it, where files lie in memory: to be looked at, not the caller's own. */
  lookAt?(file: string): Uint8Array
}

/** The first bytes of a file: all of them, where it is a small one. */
export interface Beginning {
  /** {@link Folder.stamp} from before they were read; they are that file's as long as it has this stamp afterwards. */
  readonly stamp: string | null
  /** The file's, in bytes. */
  readonly size: number
  readonly bytes: Uint8Array
  /** Whether nobody else holds the memory of `bytes`. */
  readonly isOwn: boolean
}

/** Reads the first bytes of a file, at most so many. @throws {EspalierError} `invalid_file` where there is none to read */
export async function beginningOf(folder: Folder, file: string, most: number): Promise<Beginning> {
  if (folder.beginning) return folder.beginning(file, most)
  const stamp = await folder.stamp(file).catch(() => null)
  const size = await folder.size(file)
  const room = new Uint8Array(Math.min(size, most))
  const bytes = await folder.readRange(file, 0, room.length, room)
  const isOwn = bytes.buffer === room.buffer
  if (!isOwn) freeNow(room)
  return { stamp, size, bytes, isOwn }
}

/** The name of a file inside a folder. @throws {EspalierError} `invalid_request` for anything that could lead elsewhere. */
export function confined(file: string): string {
  if (!/^[\w][\w.+-]*$/.test(file) || file.includes(".."))
    throw new EspalierError("invalid_request", `Not a file name: ${JSON.stringify(file.slice(0, 100))}`)
  return file
}

/** A folder on disk. Links to files are followed: hub caches are made of them. Anything else than a file is refused. */
export function fsFolder(path: string): Folder {
  const at = (file: string) => join(path, confined(file))
  const missing = (file: string, cause?: unknown): EspalierError =>
    new EspalierError("invalid_file", `Folder ${basename(path)} has no readable file ${file}`, { cause })
  /** A pipe would be waited for without end, a device read without end. */
  const statFile = async (file: string) => {
    const found = await stat(at(file)).catch((cause: unknown) => Promise.reject(missing(file, cause)))
    if (!found.isFile()) throw missing(file)
    return found
  }
  type Stats = Awaited<ReturnType<typeof statFile>>
  const stampOf = (file: string, { ino, size, mtimeMs }: Stats): string => `${at(file)}:${ino}:${size}:${mtimeMs}`
  /** Bytes from one on, of a file that is one. */
  const readInto = async (file: string, bytes: Uint8Array, start: number): Promise<Uint8Array> => {
    const handle = await open(at(file), "r").catch((cause) => Promise.reject(missing(file, cause)))
    try {
      const read = await readAt(handle, bytes, start)
      if (read < bytes.length)
        throw new EspalierError(
          "invalid_file",
          `${file} ended at byte ${start + read} where ${start + bytes.length} was expected`,
        )
      return bytes
    } finally {
      await handle.close()
    }
  }
  return {
    name: basename(path),
    stamp: async (file) => stampOf(file, await statFile(file)),
    list: async () => (await readdir(path)).sort(),
    size: async (file) => (await statFile(file)).size,
    async read(file) {
      await statFile(file)
      return new Uint8Array(await readFile(at(file)).catch((cause) => Promise.reject(missing(file, cause))))
    },
    async readRange(file, start, end, into) {
      await statFile(file)
      return readInto(file, into ? into.subarray(0, end - start) : new Uint8Array(end - start), start)
    },
    async beginning(file, most) {
      const stats = await statFile(file)
      const bytes = await readInto(file, new Uint8Array(Math.min(stats.size, most)), 0)
      return { stamp: stampOf(file, stats), size: stats.size, bytes, isOwn: true }
    },
  }
}

/** A folder in memory. */
export function memoryFolder(name: string, files: ReadonlyMap<string, Uint8Array>): Folder {
  const get = (file: string): Uint8Array => {
    const bytes = files.get(confined(file))
    if (!bytes) throw new EspalierError("invalid_file", `Folder ${name} has no file ${file}`)
    return bytes
  }
  return {
    name,
    stamp: async () => null,
    list: async () => [...files.keys()].sort(),
    size: async (file) => get(file).length,
    read: async (file) => get(file),
    readRange: async (file, start, end) => get(file).subarray(start, end),
    lookAt: get,
  }
}
