/**
 * @module JSON data files: one object a line (JSONL), or one array of objects. Each row is decoded and parsed by itself,
 * so that a broken one costs no other.
 */
import { EspalierError, messageOf } from "../core/errors.ts"
import { type RawRow, type Skipped, tooLong } from "./raw-row.ts"

/** Rows and what was skipped. */
interface Rows {
  readonly rows: RawRow[]
  readonly skipped: Skipped[]
}

/** Deeper nesting than any training row needs, and shallow enough to walk by recursion. */
const MAX_DEPTH = 100

/** Reads JSONL. Blank lines count as lines and are no rows. */
export function readJsonl(_name: string, bytes: Uint8Array, maxRowBytes: number): Rows {
  const out: Rows = { rows: [], skipped: [] }
  const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true })
  for (let start = 0, line = 1; start < bytes.length; line++) {
    const newline = bytes.indexOf(0x0a, start)
    const end = newline < 0 ? bytes.length : newline
    const slice = bytes.subarray(start, end)
    start = end + 1
    if (slice.length > maxRowBytes) {
      out.skipped.push({ line, reason: tooLong(slice.length, maxRowBytes) })
      continue
    }
    let text: string
    try {
      text = decoder.decode(slice)
    } catch {
      out.skipped.push({ line, reason: "Not valid UTF-8" })
      continue
    }
    if (text.trim() !== "") addRow(out, line, text)
  }
  return out
}

/**
 * Reads a JSON array of objects.
 * @throws {EspalierError} `invalid_file` if it is not UTF-8 or no array.
 */
export function readJsonArray(name: string, bytes: Uint8Array, maxRowBytes: number): Rows {
  const out: Rows = { rows: [], skipped: [] }
  let text: string
  try {
    text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes)
  } catch {
    throw new EspalierError("invalid_file", `Expected ${name} to be UTF-8`, { hint: "Save the file as UTF-8" })
  }
  for (const { line, from, to, problem } of elements(text)) {
    if (problem) out.skipped.push({ line, reason: problem })
    else if (to - from > maxRowBytes) out.skipped.push({ line, reason: tooLong(to - from, maxRowBytes) })
    else addRow(out, line, text.slice(from, to))
  }
  return out
}

/** The pieces between the outermost commas of a JSON array, with the line each starts on. */
function* elements(text: string): Generator<{ line: number; from: number; to: number; problem?: string }> {
  let line = 1
  let depth = 0
  let inString = false
  let from = -1 // first character of the element, -1 before it
  let fromLine = 1
  let closed = false
  for (let i = 0; i < text.length; i++) {
    const c = text.charCodeAt(i)
    if (c === 0x0a) line++
    if (inString) {
      if (c === 0x5c) i++
      else if (c === 0x22) inString = false
      continue
    }
    if (c <= 0x20) continue
    if (closed) {
      yield { line, from: i, to: i, problem: "Text follows the end of the array" }
      return
    }
    const isOpening = c === 0x5b || c === 0x7b
    const isClosing = c === 0x5d || c === 0x7d
    if (depth === 1 && (c === 0x2c || isClosing)) {
      if (from >= 0) yield { line: fromLine, from, to: i }
      from = -1
      if (isClosing) closed = true
      continue
    }
    if (depth >= 1 && from < 0) {
      from = i
      fromLine = line
    }
    if (c === 0x22) inString = true
    else if (isOpening) depth++
    else if (isClosing) depth--
  }
  if (!closed)
    yield { line: from < 0 ? line : fromLine, from: 0, to: 0, problem: "The array ends before its closing ]" }
}

/** Parses one row's text and adds it, or adds the reason why not. */
function addRow(out: Rows, line: number, text: string): void {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (error) {
    out.skipped.push({ line, reason: `Not valid JSON (${messageOf(error)})` })
    return
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    out.skipped.push({ line, reason: `Expected a JSON object but found ${kindOf(value)}` })
  } else if (dropProto(value, 0)) {
    out.rows.push({ line, value: value as Record<string, unknown> })
  } else {
    out.skipped.push({ line, reason: `Nested more than ${MAX_DEPTH} levels deep` })
  }
}

const kindOf = (value: unknown): string =>
  value === null ? "null" : Array.isArray(value) ? "an array" : `a ${typeof value}`

/**
 * Deletes own keys named `__proto__`, which JSON.parse makes and which a later plain copy would turn into a prototype.
 * @returns false if `value` is nested too deeply to go on.
 */
function dropProto(value: unknown, depth: number): boolean {
  if (typeof value !== "object" || value === null) return true
  if (depth >= MAX_DEPTH) return false
  Reflect.deleteProperty(value, "__proto__")
  for (const item of Object.values(value)) if (!dropProto(item, depth + 1)) return false
  return true
}
