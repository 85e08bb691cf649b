/**
 * @module Folders published in a bucket by their content: `blobs/<sha256>` are files, each kept once however often it is
 * published, and `adapters/<name>.json` says which of them a name's folder has. That one object is written last, so that a
 * reader finds the old folder or the new one, whole; every file is held to its hash when it is read.
 */

import * as v from "valibot"
import { decodeUtf8, encodeUtf8 } from "../core/bytes.ts"
import { EspalierError } from "../core/errors.ts"
import { sha256Hex } from "../core/hash.ts"
import type { Bucket } from "./bucket-folder.ts"
import { confined, type Folder } from "./folder.ts"

/** What a name's folder has. */
const manifestSchema = v.object({
  format: v.literal("espalier-folder-1"),
  files: v.record(
    v.string(),
    v.object({
      sha256: v.pipe(v.string(), v.regex(/^[0-9a-f]{64}$/)),
      bytes: v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(2 ** 40)),
    }),
  ),
})

/** Where it is said what a name has. */
export const manifestKey = (prefix: string, name: string): string => `${prefix}adapters/${confined(name)}.json`
const blobKey = (prefix: string, sha256: string): string => `${prefix}blobs/${sha256}`

/**
 * Publishes files under a name, in the place of what it had.
 * @param prefix empty, or ends in a slash
 * @returns how many of the files were not there yet
 */
export async function publishFolder(
  bucket: Bucket,
  prefix: string,
  name: string,
  files: ReadonlyMap<string, Uint8Array>,
): Promise<{ readonly uploaded: number }> {
  let uploaded = 0
  const facts: Record<string, { sha256: string; bytes: number }> = {}
  for (const [file, bytes] of [...files].sort(([a], [b]) => (a < b ? -1 : 1))) {
    const sha256 = await sha256Hex(bytes)
    facts[confined(file)] = { sha256, bytes: bytes.length }
    const key = blobKey(prefix, sha256)
    const there = await bucket.head(key)
    // One of another size is what was left of an upload somewhere that doesn't make objects whole.
    if (there?.size === bytes.length) continue
    const put = await bucket.put(key, bytes, there ? {} : { onlyIf: { etagDoesNotMatch: "*" } })
    if (put !== null) uploaded++
  }
  const manifest = JSON.stringify({ format: "espalier-folder-1", files: facts })
  await bucket.put(manifestKey(prefix, name), encodeUtf8(manifest))
  return { uploaded }
}

/**
 * A published folder, as it is now: what is published later under its name doesn't change it.
 * @throws {EspalierError} `not_found`, or `invalid_file` for a manifest that is none
 */
export async function publishedFolder(bucket: Bucket, prefix: string, name: string): Promise<Folder> {
  const object = await bucket.get(manifestKey(prefix, name))
  if (object === null)
    throw new EspalierError("not_found", `There is no adapter "${name}" in the store`, { param: "path" })
  const files = filesOf(decodeUtf8(new Uint8Array(await object.arrayBuffer())), name)
  const read = new Map<string, Promise<Uint8Array>>()
  const factsOf = (file: string): { readonly sha256: string; readonly bytes: number } => {
    const facts = files.get(confined(file))
    if (facts === undefined) throw new EspalierError("invalid_file", `Folder ${name} has no readable file ${file}`)
    return facts
  }
  async function fetchFile(file: string): Promise<Uint8Array> {
    const { sha256, bytes: size } = factsOf(file)
    const blob = await bucket.get(blobKey(prefix, sha256))
    const bytes = blob && new Uint8Array(await blob.arrayBuffer())
    if (bytes === null) throw new EspalierError("invalid_file", `${name}/${file} is missing from the store`)
    if (bytes.length !== size || (await sha256Hex(bytes)) !== sha256) {
      throw new EspalierError("invalid_file", `${name}/${file} is damaged in the store: it is not what was published`, {
        hint: "Publish the adapter again",
      })
    }
    return bytes
  }
  const readFile = (file: string): Promise<Uint8Array> => {
    const known = read.get(file) ?? fetchFile(file)
    read.set(file, known)
    known.catch(() => read.delete(file))
    return known
  }
  return {
    name,
    stamp: async (file) => factsOf(file).sha256,
    list: async () => [...files.keys()].sort(),
    size: async (file) => factsOf(file).bytes,
    read: readFile,
    readRange: async (file, start, end) => {
      const bytes = await readFile(file)
      if (end > bytes.length)
        throw new EspalierError("invalid_file", `${file} ended at byte ${bytes.length} where ${end} was expected`)
      return bytes.subarray(start, end)
    },
    async beginning(file, most) {
      const { sha256: stamp, bytes: size } = factsOf(file)
      // A small one is the caller's own: nothing of it is kept here.
      if (size <= most) return { stamp, size, bytes: await fetchFile(file), isOwn: true }
      return { stamp, size, bytes: (await readFile(file)).subarray(0, most), isOwn: false }
    },
  }
}

function filesOf(text: string, name: string): ReadonlyMap<string, { readonly sha256: string; readonly bytes: number }> {
  let json: unknown
  try {
    json = JSON.parse(text)
  } catch {
    json = null
  }
  const parsed = v.safeParse(manifestSchema, json)
  if (parsed.success) return new Map(Object.entries(parsed.output.files))
  throw new EspalierError("invalid_file", `What the store has under the name "${name}" says of no adapter`)
}
