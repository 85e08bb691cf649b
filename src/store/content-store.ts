/**
 * @module Contents by their sha256, as files of one folder: written beside their place while they arrive, flushed, then
 * renamed, so that a name stands for the whole of its bytes or for nothing. Equal contents are kept once.
 */
import { createHash } from "node:crypto"
import { mkdir, open, readdir, readFile, rename, rm } from "node:fs/promises"
import { join } from "node:path"
import { EspalierError } from "../core/errors.ts"
import { flushFolder } from "./atomic.ts"
import { readAt, writeAt } from "./file.ts"
import { asStorageError } from "./storage-full.ts"

/** What was kept. */
export interface Content {
  /** In hex. */
  readonly sha256: string
  readonly bytes: number
}

/** A content that has arrived and is not kept yet. */
export interface Arrived extends Content {
  /** Its bytes in pieces. */
  stream(): AsyncIterable<Uint8Array>
  /** Gives it its place; it is safely there when this resolves. */
  keep(): Promise<void>
  /** Removes it, unless it was kept. */
  discard(): Promise<void>
}

/** Contents by sha256. */
export interface ContentStore {
  /**
   * Takes in what arrives, flushed to disk beside the others.
   * @throws {EspalierError} `too_large` as soon as there is more than `maxBytes`; nothing is left then.
   */
  receive(chunks: AsyncIterable<Uint8Array>, maxBytes: number): Promise<Arrived>
  /** The whole content, checked. @throws {EspalierError} `invalid_file` if it is missing or its bytes have changed. */
  read(sha256: string): Promise<Uint8Array>
  /** Reads it through. @throws {EspalierError} `invalid_file` if it is missing or its bytes have changed. */
  verify(sha256: string): Promise<void>
  /** The content in pieces, not checked. @throws {EspalierError} `invalid_file` if it is missing. */
  stream(sha256: string): AsyncIterable<Uint8Array>
  /** That there is none is fine. */
  remove(sha256: string): Promise<void>
  /** Every content there is. */
  list(): Promise<string[]>
}

/** Bytes of a piece that is read. */
const PIECE = 256 * 1024
let count = 0

/** Opens a folder, and removes what a crash left half written. */
export async function openContentStore(folder: string): Promise<ContentStore> {
  const incoming = join(folder, "incoming")
  await rm(incoming, { recursive: true, force: true })
  await mkdir(incoming, { recursive: true })
  const pathOf = (sha256: string): string => contentPath(folder, sha256)
  return {
    async receive(chunks, maxBytes) {
      const beside = join(incoming, `${process.pid}-${count++}`)
      const hash = createHash("sha256")
      let bytes = 0
      const discard = (): Promise<void> => rm(beside, { force: true })
      try {
        const file = await open(beside, "wx")
        try {
          for await (const chunk of chunks) {
            if (bytes + chunk.length > maxBytes)
              throw new EspalierError("too_large", `The file is over this server's limit of ${maxBytes} bytes`, {
                param: "file",
              })
            await writeAt(file, chunk, bytes)
            hash.update(chunk)
            bytes += chunk.length
          }
          await file.sync()
        } finally {
          await file.close()
        }
      } catch (error) {
        await discard()
        throw asStorageError(error)
      }
      const sha256 = hash.digest("hex")
      return {
        sha256,
        bytes,
        discard,
        stream: () => pieces(beside),
        async keep() {
          await rename(beside, pathOf(sha256))
          await flushFolder(folder)
        },
      }
    },
    read: (sha256) => readContent(folder, sha256),
    async verify(sha256) {
      const hash = createHash("sha256")
      for await (const piece of pieces(pathOf(sha256))) hash.update(piece)
      checkHash(sha256, hash.digest("hex"))
    },
    stream: (sha256) => pieces(pathOf(sha256)),
    remove: (sha256) => rm(pathOf(sha256), { force: true }),
    async list() {
      const entries = await readdir(folder, { withFileTypes: true })
      return entries.flatMap((entry) => (entry.isFile() && /^[\da-f]{64}$/.test(entry.name) ? entry.name : [])).sort()
    },
  }
}

function contentPath(folder: string, sha256: string): string {
  if (!/^[\da-f]{64}$/.test(sha256)) throw new TypeError("Expected a sha256 in hex")
  return join(folder, sha256)
}

/**
 * A whole content of a folder that perhaps another thread has open.
 * @throws {EspalierError} `invalid_file` if it is missing or its bytes have changed.
 */
export async function readContent(folder: string, sha256: string): Promise<Uint8Array> {
  const path = contentPath(folder, sha256)
  const bytes = new Uint8Array(await readFile(path).catch((cause) => Promise.reject(missing(cause))))
  checkHash(sha256, createHash("sha256").update(bytes).digest("hex"))
  return bytes
}

function checkHash(expected: string, found: string): void {
  if (found === expected) return
  throw new EspalierError("invalid_file", `Expected a file with sha256 ${expected} but found ${found}`, {
    hint: "Its bytes on disk have changed: upload it again",
  })
}

async function* pieces(path: string): AsyncGenerator<Uint8Array, void, undefined> {
  const file = await open(path, "r").catch((cause) => Promise.reject(missing(cause)))
  try {
    for (let at = 0; ; ) {
      const piece = new Uint8Array(PIECE)
      const read = await readAt(file, piece, at)
      if (read > 0) yield piece.subarray(0, read)
      if (read < PIECE) return
      at += read
    }
  } finally {
    await file.close()
  }
}

const missing = (cause: unknown): EspalierError =>
  new EspalierError("invalid_file", "The file's bytes are missing from this server's disk", {
    hint: "Upload it again",
    cause,
  })
