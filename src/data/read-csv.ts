/**
 * @module CSV data files by RFC 4180: a header row, quoted fields with commas, newlines and doubled quotes. The
 * delimiter is whichever of comma, semicolon and tab the header has most of, since spreadsheets differ by locale.
 */
import { EspalierError } from "../core/errors.ts"
import { type RawRow, type Skipped, tooLong } from "./raw-row.ts"

/** One record of a CSV file. */
interface CsvRecord {
  readonly line: number
  readonly fields: readonly string[]
  /** Characters it takes in the file. */
  readonly size: number
  readonly problem: string | null
}

/**
 * Reads CSV: each row becomes an object of text by column name.
 * @throws {EspalierError} `invalid_file` if the header can't be read, or names a column twice.
 */
export function readCsv(name: string, bytes: Uint8Array, maxRowBytes: number): { rows: RawRow[]; skipped: Skipped[] } {
  const rows: RawRow[] = []
  const skipped: Skipped[] = []
  const text = new TextDecoder("utf-8", { ignoreBOM: true }).decode(bytes)
  const records = recordsOf(text, delimiterOf(text))
  const first = records.next()
  if (first.done) return { rows, skipped }
  const header = first.value.fields.map((field) => field.trim())
  const twice = header.find((column, i) => header.indexOf(column) !== i)
  if (first.value.problem || twice !== undefined) {
    const found = first.value.problem ?? `column ${JSON.stringify(twice)} twice`
    throw new EspalierError(
      "invalid_file",
      `Expected the first line of ${name} to name its columns but found ${found}`,
      {
        hint: "Columns are named as the fields of a JSONL row: prompt,completion for example",
      },
    )
  }
  for (const { line, fields, size, problem } of records) {
    const reason = problem ?? reasonAgainst(fields, header.length, size, maxRowBytes)
    if (reason) skipped.push({ line, reason })
    else rows.push({ line, value: Object.fromEntries(header.map((column, i) => [column, fields[i]!])) })
  }
  return { rows, skipped }
}

function reasonAgainst(fields: readonly string[], columns: number, size: number, maxRowBytes: number): string | null {
  if (size > maxRowBytes) return tooLong(size, maxRowBytes)
  if (fields.length !== columns) return `Expected ${columns} fields as in the header but found ${fields.length}`
  // Decoding wrote U+FFFD where bytes were no UTF-8.
  return fields.some((field) => field.includes("\ufffd")) ? "Not valid UTF-8" : null
}

function delimiterOf(text: string): string {
  const newline = text.indexOf("\n")
  const header = newline < 0 ? text : text.slice(0, newline)
  const count = (delimiter: string) => header.split(delimiter).length
  return [",", ";", "\t"].reduce((best, next) => (count(next) > count(best) ? next : best))
}

/** The records of a CSV text, blank lines left out. After a malformed record, reading goes on at the next line. */
function* recordsOf(text: string, delimiter: string): Generator<CsvRecord, undefined> {
  let at = 0
  let line = 1
  while (at < text.length) {
    const start = at
    const startLine = line
    const fields: string[] = []
    let problem: string | null = null
    for (let more = true; more && problem === null; ) {
      if (text[at] === '"') {
        const quoted = quotedField(text, at)
        problem = quoted.problem
        fields.push(quoted.value)
        at = quoted.end
        line += quoted.newlines
        if (problem === null && at < text.length && text[at] !== delimiter && !isLineEnd(text, at)) {
          problem = "Text follows a closing quote"
        }
      } else {
        const end = endOfField(text, at, delimiter)
        fields.push(text.slice(at, end))
        at = end
      }
      more = text[at] === delimiter
      if (more) at++
    }
    const newline = text.indexOf("\n", at)
    const end = newline < 0 ? text.length : newline
    const size = end - start
    at = end + 1
    line++
    const isBlank = fields.length === 1 && fields[0]!.trim() === ""
    if (problem !== null || !isBlank) yield { line: startLine, fields, size, problem }
  }
}

/** Reads the field whose opening quote stands at `from`; `end` is the index after it. */
function quotedField(
  text: string,
  from: number,
): { value: string; end: number; newlines: number; problem: string | null } {
  let value = ""
  for (let at = from + 1; ; ) {
    const close = text.indexOf('"', at)
    // Nothing is taken then: reading goes on behind this line, so that one stray quote does not swallow the file.
    if (close < 0) return { value: "", end: from, newlines: 0, problem: "A quote that opens here is never closed" }
    value += text.slice(at, close)
    at = close + 1
    if (text[at] !== '"') return { value, end: at, newlines: value.split("\n").length - 1, problem: null }
    value += '"'
    at++
  }
}

const isLineEnd = (text: string, at: number): boolean =>
  text[at] === "\n" || (text[at] === "\r" && (at + 1 === text.length || text[at + 1] === "\n"))

function endOfField(text: string, from: number, delimiter: string): number {
  for (let at = from; at < text.length; at++) {
    if (text[at] === delimiter || isLineEnd(text, at)) return at
  }
  return text.length
}
