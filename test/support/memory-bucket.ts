/**
 * @module A bucket in memory, shaped like R2's binding, that counts what is asked of it.
 */
import type { Bucket, BucketEntry } from "../../src/store/bucket-folder.ts"

/** A bucket of `pageSize` keys a page. */
export function memoryBucket(pageSize = 1000) {
  const objects = new Map<string, BucketEntry & { readonly bytes: Uint8Array }>()
  const asked: string[] = []
  let version = 0
  const bucket: Bucket = {
    async head(key) {
      asked.push(`head ${key}`)
      return objects.get(key) ?? null
    },
    async get(key, options) {
      asked.push(`get ${key}`)
      const object = objects.get(key)
      if (!object) return null
      const { offset = 0, length = object.size } = options?.range ?? {}
      return { arrayBuffer: async () => object.bytes.slice(offset, offset + length).buffer as ArrayBuffer }
    },
    async put(key, bytes) {
      objects.set(key, { key, size: bytes.length, etag: `v${++version}`, uploaded: new Date(version), bytes })
    },
    async list({ prefix, cursor }) {
      const keys = [...objects.keys()].filter((key) => key.startsWith(prefix)).sort()
      const from = Number(cursor ?? 0)
      const truncated = from + pageSize < keys.length
      return {
        objects: keys.slice(from, from + pageSize).map((key) => objects.get(key)!),
        truncated,
        ...(truncated && { cursor: String(from + pageSize) }),
      }
    },
  }
  return { bucket, asked, delete: (key: string) => objects.delete(key), keys: () => [...objects.keys()] }
}
