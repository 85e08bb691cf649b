/**
 * @module Folders in an object store that is shaped like Cloudflare's R2: a folder is a common beginning of keys.
 */
import { freeNow } from "../core/bytes.ts"
import { EspalierError } from "../core/errors.ts"
import { confined, type Folder } from "./folder.ts"

/** What is known of an object without reading it. */
export interface BucketEntry {
  readonly key: string
  readonly size: number
  /** Changes when the content does. */
  readonly etag: string
  /** When it was put, where the store says so. */
  readonly uploaded?: Date
}

/** An object store: what is used of R2's binding. */
export interface Bucket {
  head(key: string): Promise<BucketEntry | null>
  get(
    key: string,
    options?: { readonly range: { readonly offset: number; readonly length: number } },
  ): Promise<{ arrayBuffer(): Promise<ArrayBuffer> } | null>
  /** Null where `onlyIf` kept it from being put: `*` for what there is nothing of yet. */
  put(
    key: string,
    value: Uint8Array,
    options?: { readonly onlyIf?: { readonly etagDoesNotMatch: string } },
  ): Promise<unknown>
  list(options: { readonly prefix: string; readonly cursor?: string }): Promise<BucketPage>
}

/** A page of a listing. */
export interface BucketPage {
  readonly objects: readonly BucketEntry[]
  readonly truncated: boolean
  /** Where the next page begins, where there is one. */
  readonly cursor?: string
}

/**
 * The objects below a prefix as a folder.
 * @param prefix ends in a slash
 */
export function bucketFolder(bucket: Bucket, prefix: string): Folder {
  const name = prefix.replace(/\/$/, "").split("/").at(-1) ?? prefix
  const missing = (file: string): EspalierError =>
    new EspalierError("invalid_file", `Folder ${name} has no readable file ${file}`)
  const find = async (file: string): Promise<BucketEntry> => {
    const entry = await bucket.head(prefix + confined(file))
    if (!entry) throw missing(file)
    return entry
  }
  return {
    name,
    async stamp(file) {
      const { key, etag } = await find(file)
      return `${key}:${etag}`
    },
    async list() {
      const names: string[] = []
      let cursor: string | undefined
      do {
        const page: BucketPage = await bucket.list({ prefix, ...(cursor !== undefined && { cursor }) })
        names.push(...page.objects.map(({ key }) => key.slice(prefix.length)))
        cursor = page.truncated ? page.cursor : undefined
      } while (cursor !== undefined)
      return names.filter((file) => !file.includes("/")).sort()
    },
    size: async (file) => (await find(file)).size,
    async read(file) {
      const object = await bucket.get(prefix + confined(file))
      if (!object) throw missing(file)
      return new Uint8Array(await object.arrayBuffer())
    },
    async readRange(file, start, end, into) {
      if (start === end) return new Uint8Array(0)
      const range = { offset: start, length: end - start }
      const object = await bucket.get(prefix + confined(file), { range })
      if (!object) throw missing(file)
      const bytes = new Uint8Array(await object.arrayBuffer())
      if (bytes.length < range.length)
        throw new EspalierError(
          "invalid_file",
          `${file} ended at byte ${start + bytes.length} where ${end} was expected`,
        )
      if (!into) return bytes
      // What is read much is given back by whoever reads it: left to the collector, a dozen adapters' files lie about.
      const taken = into.subarray(0, bytes.length)
      taken.set(bytes)
      freeNow(bytes)
      return taken
    },
  }
}
