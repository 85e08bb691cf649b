/**
 * @module A file of the hub on its way to the cache: goes on where it was broken off, and stands under its name only when
 * its checksum is right.
 */
import { createHash } from "node:crypto"
import { createReadStream } from "node:fs"
import { mkdir, open, rename, rm, stat } from "node:fs/promises"
import { dirname } from "node:path"
import { EspalierError, messageOf } from "../../core/errors.ts"

/** A file that the hub has. */
export interface HubFile {
  readonly path: string
  readonly size: number
  /** Its name in the cache: the sha256 of large files, the SHA-1 that git has of others. */
  readonly etag: string
  /** Whether the etag is a sha256. */
  readonly isLarge: boolean
}

/** How a file is fetched. */
export interface BlobOptions {
  /** Its bytes; only the part that is asked for is sent. */
  open(): Promise<Blob>
  /** Bytes that are there, after each piece. */
  onBytes(done: number): void
  /** Milliseconds before it is asked again, times the number of failures. @default {1000} */
  readonly retryDelay?: number
}

/** How often it goes on after a broken connection that brought nothing new. */
const MOST_FAILURES = 5

const sizeOf = (path: string): Promise<number> =>
  stat(path).then(
    ({ size }) => size,
    () => 0,
  )

/** Fetches a file to `path`, unless it is there. @throws {EspalierError} `unavailable`, or `invalid_file` for a wrong checksum */
export async function fetchBlob(path: string, file: HubFile, options: BlobOptions): Promise<void> {
  if (
    await stat(path).then(
      () => true,
      () => false,
    )
  )
    return options.onBytes(file.size)
  await mkdir(dirname(path), { recursive: true })
  const partial = `${path}.incomplete`
  if ((await sizeOf(partial)) > file.size) await rm(partial)
  for (let failures = 0; ; ) {
    const before = await sizeOf(partial)
    try {
      await append(partial, before, file, options)
      break
    } catch (cause) {
      if (isFatal(cause)) throw cause
      failures = (await sizeOf(partial)) > before ? 1 : failures + 1
      if (failures === MOST_FAILURES)
        throw new EspalierError("unavailable", `${file.path} can't be fetched: ${messageOf(cause)}`, {
          hint: "What is there already is kept: the same command goes on from there",
          cause,
        })
      await new Promise((resolve) => setTimeout(resolve, failures * (options.retryDelay ?? 1000)))
    }
  }
  const found = await checksum(partial, file)
  if (found !== file.etag) {
    await rm(partial)
    throw new EspalierError("invalid_file", `${file.path}: expected checksum ${file.etag} but found ${found}`, {
      hint: "It was damaged on its way, or another one answered for the hub: try again",
    })
  }
  await rename(partial, path)
}

/** Answers of the hub, and our own errors, are the same when asked again. */
const isFatal = (error: unknown): boolean =>
  error instanceof EspalierError || (error as { code?: unknown }).code === "ENOSPC" || clientError(error)

function clientError(error: unknown): boolean {
  const { statusCode } = error as { readonly statusCode?: unknown }
  return typeof statusCode === "number" && statusCode >= 400 && statusCode < 500 && statusCode !== 429
}

async function append(partial: string, from: number, file: HubFile, { open: source, onBytes }: BlobOptions) {
  onBytes(from)
  const handle = await open(partial, "a")
  try {
    if (from === file.size) return
    const blob = await source()
    if (blob.size !== file.size)
      throw new EspalierError(
        "invalid_file",
        `${file.path}: expected ${file.size} bytes but the hub offers ${blob.size}`,
      )
    let done = from
    const reader = blob.slice(from, file.size).stream().getReader()
    for (;;) {
      const { done: ended, value } = await reader.read()
      if (ended) break
      if (done + value.length > file.size) throw new Error("the hub sent more than was asked for")
      await handle.writeFile(value)
      done += value.length
      onBytes(done)
    }
    if (done !== file.size) throw new Error(`the connection ended at byte ${done} of ${file.size}`)
    await handle.sync()
  } finally {
    await handle.close()
  }
}

/** sha256 of a large file; of any other the SHA-1 of git's blob. */
async function checksum(path: string, { size, isLarge }: HubFile): Promise<string> {
  const hash = createHash(isLarge ? "sha256" : "sha1")
  if (!isLarge) hash.update(`blob ${size}\0`)
  for await (const piece of createReadStream(path)) hash.update(piece as Uint8Array)
  return hash.digest("hex")
}
