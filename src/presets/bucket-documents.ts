/**
 * @module Documents in memory that a bucket keeps: `<prefix><collection>.json`, a collection whole in each object, so that
 * one put replaces it in one step. One engine writes, others follow it.
 */
import { encodeUtf8 } from "../core/bytes.ts"
import { EspalierError } from "../core/errors.ts"
import { createExclusive } from "../core/exclusive.ts"
import { type MemoryIndex, type MemoryIndexOptions, memoryIndex, type Snapshot } from "../rag/memory-index.ts"
import type { Bucket, BucketEntry, BucketPage } from "../store/bucket-folder.ts"

/** How documents follow a bucket. */
export interface BucketDocumentsOptions extends Omit<MemoryIndexOptions, "onChange"> {
  readonly bucket: Bucket
  /** Ends in a slash. */
  readonly prefix: string
  /** For how long the bucket isn't asked again what has changed, in milliseconds. @default {2000} */
  readonly trustMs?: number
}

/** Documents of a bucket. */
export interface BucketDocuments {
  readonly index: MemoryIndex
  /**
   * Reads what has changed in the bucket; nothing once this one writes. What was read before is good enough where the
   * bucket can't be asked.
   * @throws What the bucket throws, if nothing was ever read.
   */
  follow(): Promise<void>
  /**
   * Runs what may change documents, and puts what it changed into the bucket before its result is given.
   * @throws {EspalierError} `unavailable` if the bucket did not take it: what was changed goes with the next change
   */
  change<T>(work: () => Promise<T>): Promise<T>
}

/** An index whose collections lie in a bucket; empty until it {@link BucketDocuments.follow follows}. */
export function bucketDocuments({
  bucket,
  prefix,
  trustMs = 2000,
  ...options
}: BucketDocumentsOptions): BucketDocuments {
  const now = options.now ?? Date.now
  const dirty = new Set<string>()
  const index = memoryIndex({ ...options, onChange: (collection) => dirty.add(collection) })
  /** Versions of what was read, by their keys. */
  const known = new Map<string, string>()
  const turns = createExclusive()
  let seenAt = Number.NEGATIVE_INFINITY
  let writes = false
  const keyOf = (collection: string): string => `${prefix}${collection}.json`

  const read = async (): Promise<void> => {
    if (writes || now() - seenAt < trustMs) return
    for (const { key, etag } of await listed(bucket, prefix)) {
      if (known.get(key) === etag) continue
      const object = await bucket.get(key)
      if (!object) continue
      const snapshot = JSON.parse(new TextDecoder().decode(await object.arrayBuffer())) as Snapshot | null
      // A collection that was removed is written down as one, as nothing is ever taken out of the bucket.
      if (snapshot) await index.restore(snapshot)
      else index.forget(key.slice(prefix.length, -".json".length))
      known.set(key, etag)
    }
    seenAt = now()
  }
  const write = async (): Promise<void> => {
    for (const collection of [...dirty]) {
      dirty.delete(collection)
      try {
        await bucket.put(keyOf(collection), encodeUtf8(JSON.stringify(index.snapshot(collection))))
      } catch (cause) {
        dirty.add(collection)
        throw new EspalierError("unavailable", "The bucket did not take the documents", { cause })
      }
    }
  }
  return {
    index,
    follow: () =>
      turns.run(() =>
        read().catch((error: unknown) => {
          if (seenAt === Number.NEGATIVE_INFINITY) throw error
        }),
      ),
    async change(work) {
      // What is being read comes first; then this one's own view is the one that counts.
      await turns.run(async () => {
        await read()
        writes = true
      })
      const result = await work()
      await turns.run(write)
      return result
    },
  }
}

async function listed(bucket: Bucket, prefix: string): Promise<BucketEntry[]> {
  const entries: BucketEntry[] = []
  let cursor: string | undefined
  do {
    const page: BucketPage = await bucket.list({ prefix, ...(cursor !== undefined && { cursor }) })
    entries.push(...page.objects)
    cursor = page.truncated ? page.cursor : undefined
  } while (cursor !== undefined)
  return entries
}
