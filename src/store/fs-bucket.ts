/**
 * @module A folder on disk as an object store: keys are paths below it, each object a file that is replaced whole.
 */
import type { Stats } from "node:fs"
import { open, readdir, stat } from "node:fs/promises"
import { join } from "node:path"
import { EspalierError } from "../core/errors.ts"
import { writeFileAtomic } from "./atomic.ts"
import type { Bucket, BucketEntry } from "./bucket-folder.ts"
import { readAt } from "./file.ts"

/** Segments that are names, which none that begins with a dot is: so nothing leads out, and files half written are nobody's. */
const KEY = /^(?:\w[\w.+=-]*\/)*\w[\w.+=-]*$/

/**
 * The files below a folder as objects. The folder need not be there before something is put.
 * @throws {EspalierError} from its calls: `invalid_request` for a key that is no path below it, `unavailable` where the disk fails
 */
export function fsBucket(root: string): Bucket {
  const at = (key: string): string => {
    if (!KEY.test(key))
      throw new EspalierError("invalid_request", `${JSON.stringify(key.slice(0, 200))} is no object's key`)
    return join(root, key)
  }
  const entryOf = (key: string, found: Stats): BucketEntry => ({
    key,
    size: found.size,
    etag: `${found.ino}-${found.size}-${found.mtimeMs}`,
    uploaded: found.mtime,
  })
  const head = async (key: string): Promise<BucketEntry | null> => {
    const found = await orNull(stat(at(key)))
    return found?.isFile() ? entryOf(key, found) : null
  }
  /** Keys of the files below a folder of it. */
  const keysBelow = async (folder: string): Promise<string[]> => {
    const entries = (await orNull(readdir(join(root, folder), { withFileTypes: true }))) ?? []
    const keys = entries.map(async (entry) => {
      const key = folder + entry.name
      if (!KEY.test(key)) return []
      return entry.isDirectory() ? keysBelow(`${key}/`) : [key]
    })
    return (await Promise.all(keys)).flat()
  }
  return {
    head,
    async get(key, options) {
      const file = await orNull(open(at(key), "r"))
      if (file === null) return null
      try {
        const found = await file.stat()
        if (!found.isFile()) return null
        const { offset, length } = options?.range ?? { offset: 0, length: found.size }
        const bytes = new Uint8Array(Math.max(0, Math.min(length, found.size - offset)))
        const read = await readAt(file, bytes, offset)
        return { arrayBuffer: async () => bytes.buffer.slice(0, read) }
      } catch (cause) {
        throw failed(cause)
      } finally {
        await file.close()
      }
    },
    async put(key, value, options) {
      const path = at(key)
      if (options?.onlyIf?.etagDoesNotMatch === "*" && (await head(key))) return null
      await writeFileAtomic(path, value).catch((cause: unknown) => Promise.reject(failed(cause)))
      return head(key)
    },
    async list({ prefix }) {
      const folder = prefix.slice(0, prefix.lastIndexOf("/") + 1)
      if (folder !== "") at(folder.slice(0, -1))
      const keys = (await keysBelow(folder)).filter((key) => key.startsWith(prefix)).sort()
      const objects = await Promise.all(keys.map(head))
      return { objects: objects.filter((each) => each !== null), truncated: false }
    },
  }
}

/** What there is, or null where there is nothing. @throws {EspalierError} `unavailable` */
async function orNull<T>(found: Promise<T>): Promise<T | null> {
  try {
    return await found
  } catch (cause) {
    const { code } = cause as { readonly code?: unknown }
    if (code === "ENOENT" || code === "ENOTDIR") return null
    throw failed(cause)
  }
}

const failed = (cause: unknown): EspalierError =>
  new EspalierError("unavailable", "The store's folder could not be read or written", {
    cause,
    hint: "Is the disk full, or the folder another user's?",
  })
