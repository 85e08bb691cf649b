/**
 * @module Bytes of a data file to rows with line numbers: JSONL, a JSON array, or CSV. A line that can't be read is
 * reported by number and reason and the rest is used; nothing here looks at what a row means (`rows.ts` does).
 */
import { EspalierError } from "../core/errors.ts"
import type { DataFormat, ReadResult } from "./raw-row.ts"
import { readCsv } from "./read-csv.ts"
import { readJsonArray, readJsonl } from "./read-json.ts"

/** Options of {@link readRows}. */
export interface ReadOptions {
  /** @default {as `formatOf` finds} */
  readonly format?: DataFormat
  /** A longer row is skipped. @default {4 MiB} */
  readonly maxRowBytes?: number
}

const MAX_ROW_BYTES = 4 * 2 ** 20

/**
 * The layout of a data file: CSV by its name's ending, otherwise JSON, of which an array starts with `[`.
 * @param name the file's name, for its ending
 */
export function formatOf(name: string, bytes: Uint8Array): DataFormat {
  if (/\.(csv|tsv)$/i.test(name)) return "csv"
  const first = bytes.subarray(bomLength(bytes)).find((byte) => byte > 0x20)
  return first === 0x5b ? "json" : "jsonl"
}

/**
 * Reads a data file. A byte order mark, CRLF, blank lines and a last line without a newline are all fine.
 * @param name the file's name, for its ending and for messages
 * @throws {EspalierError} `invalid_file` if the file is not text in UTF-8, or is a CSV file without a usable header.
 */
export function readRows(name: string, bytes: Uint8Array, options: ReadOptions = {}): ReadResult {
  if ((bytes[0] === 0xff && bytes[1] === 0xfe) || (bytes[0] === 0xfe && bytes[1] === 0xff)) {
    throw new EspalierError("invalid_file", `Expected ${name} to be UTF-8 but found UTF-16`, {
      hint: "Save the file as UTF-8",
    })
  }
  const { format = formatOf(name, bytes), maxRowBytes = MAX_ROW_BYTES } = options
  const body = bytes.subarray(bomLength(bytes))
  const read = { jsonl: readJsonl, json: readJsonArray, csv: readCsv }[format]
  return { format, ...read(name, body, maxRowBytes) }
}

/** 3 where the UTF-8 byte order mark stands first, else 0. */
const bomLength = (bytes: Uint8Array): number => (bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf ? 3 : 0)
