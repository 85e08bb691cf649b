/**
 * @module Reads a JSON body with every limit on: its type, its size while it arrives (chunked or not), its encoding and
 * its depth.
 */
import type { Context } from "hono"
import { EspalierError } from "../src/core/errors.ts"
import { HttpError } from "./errors.ts"

/** Objects in objects, lists in lists: no request of ours needs more than a few. */
const deepest = 64

/**
 * The parsed body of a request.
 * @throws {EspalierError} `too_large` (413), or `invalid_request` (415 for another type, 400 for anything else)
 */
export async function readJson(c: Context, maxBytes: number, kind: "object" | "list" = "object"): Promise<unknown> {
  const type = (c.req.header("content-type") ?? "").split(";")[0]!.trim().toLowerCase()
  if (type !== "application/json" && !/^application\/[\w.-]+\+json$/.test(type)) {
    const found = type === "" ? "none" : `"${type.slice(0, 100)}"`
    throw new HttpError(415, "invalid_request", `Expected the content type "application/json" but found ${found}`, {
      param: "content-type",
    })
  }
  const bytes = await readBytes(c.req.raw, maxBytes)
  let text: string
  try {
    text = new TextDecoder("utf-8", { fatal: true }).decode(bytes)
  } catch {
    throw new EspalierError("invalid_request", "The body is not valid UTF-8")
  }
  if (text.trim() === "") throw new EspalierError("invalid_request", "The body is empty: expected a JSON object")
  checkDepth(text)
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (cause) {
    throw new EspalierError("invalid_request", "The body is not valid JSON", { cause })
  }
  if (typeof value !== "object" || value === null || Array.isArray(value) !== (kind === "list")) {
    throw new EspalierError("invalid_request", `Expected a JSON ${kind} as the body`)
  }
  return value
}

async function readBytes(request: Request, maxBytes: number): Promise<Uint8Array> {
  const tooLarge = (): EspalierError =>
    new EspalierError("too_large", `The body is over this server's limit of ${maxBytes} bytes`)
  if (Number(request.headers.get("content-length") ?? 0) > maxBytes) throw tooLarge()
  if (request.body === null) return new Uint8Array(0)
  const reader = request.body.getReader()
  const chunks: Uint8Array[] = []
  let size = 0
  while (true) {
    const { done, value } = await reader.read()
    if (done) break
    size += value.length
    if (size > maxBytes) {
      await reader.cancel().catch(() => {})
      throw tooLarge()
    }
    chunks.push(value)
  }
  const bytes = new Uint8Array(size)
  let offset = 0
  for (const chunk of chunks) {
    bytes.set(chunk, offset)
    offset += chunk.length
  }
  return bytes
}

/** Refuses deep nesting before it is parsed: what walks the result by recursion would run out of stack. */
function checkDepth(text: string): void {
  let depth = 0
  let inString = false
  for (let i = 0; i < text.length; i++) {
    const character = text.charCodeAt(i)
    if (inString) {
      if (character === 0x5c) i++
      else if (character === 0x22) inString = false
    } else if (character === 0x22) {
      inString = true
    } else if (character === 0x7b || character === 0x5b) {
      if (++depth > deepest) {
        throw new EspalierError("invalid_request", `The body is nested more than ${deepest} levels deep`)
      }
    } else if (character === 0x7d || character === 0x5d) {
      depth--
    }
  }
}
