/**
 * @module Reads a `multipart/form-data` body part by part while it arrives (RFC 7578): nothing of a file is held in memory
 * but the piece that has just come.
 */
import { concatBytes } from "../src/core/bytes.ts"
import { EspalierError } from "../src/core/errors.ts"
import { type FormPart, textOf } from "../src/service/form-part.ts"
import { HttpError } from "./errors.ts"

/** Bytes of a part's headers at most, and of what may stand before the first part. */
const MAX_HEADER_BYTES = 16 * 1024
const MAX_PARTS = 32

/**
 * The parts of a form, in order.
 * @throws {EspalierError} `invalid_request` for another content type (415) or a malformed body
 */
export async function* readMultipart(request: Request): AsyncGenerator<FormPart, void, undefined> {
  const boundary = boundaryOf(request.headers.get("content-type") ?? "")
  if (request.body === null) throw malformed("The body is empty")
  const source = createSource(request.body)
  // Every boundary is preceded by a line break, the first one by the beginning.
  source.prepend(new Uint8Array([13, 10]))
  const delimiter = new TextEncoder().encode(`\r\n--${boundary}`)
  try {
    await drain(source.until(delimiter), MAX_HEADER_BYTES)
    for (let parts = 0; ; parts++) {
      const next = await textOf(source.exactly(2))
      if (next === "--") return
      if (next !== "\r\n") throw malformed("A boundary is followed by other text")
      if (parts === MAX_PARTS) throw malformed(`Expected at most ${MAX_PARTS} parts`)
      // A part without headers begins with the empty line.
      source.prepend(new Uint8Array([13, 10]))
      const headers = await textOf(source.until(new Uint8Array([13, 10, 13, 10])), MAX_HEADER_BYTES, () =>
        malformed("A part's headers are too long"),
      )
      const chunks = source.until(delimiter)
      yield { ...dispositionOf(headers), chunks }
      // Whoever did not want it has left it; the next part stands behind it.
      for await (const _ of chunks);
    }
  } finally {
    await source.leave()
  }
}

interface Source {
  prepend(bytes: Uint8Array): void
  /** What comes before `mark`, which is skipped. */
  until(mark: Uint8Array): AsyncGenerator<Uint8Array, void, undefined>
  exactly(count: number): AsyncGenerator<Uint8Array, void, undefined>
  leave(): Promise<void>
}

function createSource(body: ReadableStream<Uint8Array>): Source {
  const reader = body.getReader()
  let held: Uint8Array = new Uint8Array(0)
  const more = async (): Promise<void> => {
    const { done, value } = await reader.read()
    if (done) throw malformed("The body ends before its closing boundary")
    held = joined(held, value)
  }
  return {
    prepend(bytes) {
      held = joined(bytes, held)
    },
    async *until(mark) {
      while (true) {
        const at = indexOf(held, mark)
        // What may be the beginning of the mark waits for its rest.
        const safe = at >= 0 ? at : Math.max(0, held.length - mark.length + 1)
        const before = held.subarray(0, safe)
        held = held.subarray(at >= 0 ? at + mark.length : safe)
        if (before.length > 0) yield before
        if (at >= 0) return
        await more()
      }
    },
    async *exactly(count) {
      while (held.length < count) await more()
      const bytes = held.subarray(0, count)
      held = held.subarray(count)
      yield bytes
    },
    leave: () => reader.cancel().catch(() => {}),
  }
}

/** Both, without a copy where there is nothing to put the second one behind. */
const joined = (left: Uint8Array, right: Uint8Array): Uint8Array =>
  left.length === 0 ? right : concatBytes([left, right])

function indexOf(bytes: Uint8Array, mark: Uint8Array): number {
  for (let at = bytes.indexOf(mark[0]!); at >= 0; at = bytes.indexOf(mark[0]!, at + 1)) {
    if (at + mark.length > bytes.length) return -1
    if (mark.every((byte, i) => bytes[at + i] === byte)) return at
  }
  return -1
}

async function drain(chunks: AsyncIterable<Uint8Array>, most: number): Promise<void> {
  let size = 0
  for await (const chunk of chunks) {
    size += chunk.length
    if (size > most) throw malformed("No boundary was found where the first was expected")
  }
}

/** Name and file name of a part. */
function dispositionOf(headers: string): { name: string; filename: string | null } {
  const line = /^content-disposition:\s*form-data\s*(;.*)$/im.exec(headers)?.[1] ?? ""
  const values = new Map<string, string>()
  for (const [, key, quoted, bare] of line.matchAll(/;\s*([\w*]+)=(?:"((?:\\.|[^"\\])*)"|([^\s;]+))/g)) {
    values.set(key!.toLowerCase(), quoted === undefined ? bare! : unescaped(quoted))
  }
  const name = values.get("name")
  if (name === undefined) throw malformed("A part has no name")
  const extended = /^utf-8''(.*)$/i.exec(values.get("filename*") ?? "")?.[1]
  return { name, filename: decoded(extended) ?? values.get("filename") ?? null }
}

/** Browsers write quotes and line breaks as %22, %0D and %0A, others with a backslash. */
const unescaped = (text: string): string =>
  text
    .replace(/\\(["\\])/g, "$1")
    .replace(/%(22|0D|0A)/gi, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)))

function decoded(text: string | undefined): string | null {
  try {
    return text === undefined ? null : decodeURIComponent(text)
  } catch {
    return null
  }
}

function boundaryOf(type: string): string {
  const [, quoted, bare] = /^multipart\/form-data\s*;.*?boundary=(?:"([^"]{1,70})"|([^\s;"]{1,70}))/i.exec(type) ?? []
  const boundary = quoted ?? bare
  if (boundary !== undefined) return boundary
  const found = type === "" ? "none" : `"${type.slice(0, 100)}"`
  throw new HttpError(
    415,
    "invalid_request",
    `Expected the content type "multipart/form-data" with a boundary but found ${found}`,
    { param: "content-type" },
  )
}

const malformed = (message: string): EspalierError =>
  new EspalierError("invalid_request", `The form is malformed. ${message}`)
