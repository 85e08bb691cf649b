/**
 * @module Looks through a data file as it lies on disk, piece by piece, before anything is trained on it: is each line a
 * row that training understands? JSONL of any size takes little memory, and others get their turn in between.
 */
import { concatBytes } from "../core/bytes.ts"
import { EspalierError } from "../core/errors.ts"
import type { Skipped } from "./raw-row.ts"
import { formatOf, readRows } from "./read.ts"
import { parseRows } from "./rows.ts"

/** Lines that a message names at most. */
const SHOWN = 5
/** A JSONL row is at most this long, in bytes. */
const MAX_ROW_BYTES = 4 * 2 ** 20
const NEWLINE = 0x0a

/**
 * Checks every row of a data file.
 * @param name the file's name, for its ending and for messages
 * @param breathe lets others run for a moment; called between pieces
 * @returns how many rows it holds
 * @throws {EspalierError} `invalid_file` naming the first lines that can't be used, or that there is none.
 */
export async function checkDataFile(
  name: string,
  pieces: AsyncIterable<Uint8Array>,
  breathe: () => Promise<void>,
): Promise<number> {
  let rows = 0
  let lines = 0
  const problems: Skipped[] = []
  const look = (bytes: Uint8Array, format: "jsonl" | null): void => {
    const read = readRows(name, bytes, { maxRowBytes: MAX_ROW_BYTES, ...(format && { format }) })
    const parsed = parseRows(read.rows)
    rows += parsed.rows.length
    for (const { line, reason } of [...read.skipped, ...parsed.skipped]) problems.push({ line: line + lines, reason })
    if (problems.length >= SHOWN) throw unusable(name, problems)
  }
  /** Lines that were looked at, and the beginning of one that has not ended. */
  let whole: boolean | null = null
  let rest: Uint8Array[] = []
  let restBytes = 0
  for await (const piece of pieces) {
    whole ??= formatOf(name, piece) !== "jsonl"
    const end = whole ? -1 : piece.lastIndexOf(NEWLINE)
    if (end >= 0) {
      const block = concatBytes([...rest, piece.subarray(0, end + 1)])
      look(block, "jsonl")
      lines += countNewlines(block)
      rest = []
      restBytes = 0
    }
    if (end + 1 < piece.length) rest.push(piece.slice(end + 1))
    restBytes += piece.length - end - 1
    if (whole === false && restBytes > MAX_ROW_BYTES) {
      problems.push({ line: lines + 1, reason: `Row is longer than the ${MAX_ROW_BYTES} bytes allowed` })
      throw unusable(name, problems)
    }
    await breathe()
  }
  if (restBytes > 0) look(concatBytes(rest), whole ? null : "jsonl")
  if (problems.length > 0 || rows === 0) throw unusable(name, problems)
  return rows
}

function countNewlines(bytes: Uint8Array): number {
  let count = 0
  for (let at = bytes.indexOf(NEWLINE); at >= 0; at = bytes.indexOf(NEWLINE, at + 1)) count++
  return count
}

function unusable(name: string, problems: readonly Skipped[]): EspalierError {
  const shown = [...problems].sort((a, b) => a.line - b.line).slice(0, SHOWN)
  const [first] = shown
  const message =
    first === undefined
      ? `${name} has no row`
      : shown.length === 1
        ? `${name}, line ${first.line}: ${first.reason}`
        : `${name} has lines that can't be used: ${shown.map(({ line, reason }) => `line ${line}: ${reason}`).join("; ")}`
  return new EspalierError("invalid_file", message, {
    param: "file",
    hint: 'A row looks like {"messages": [{"role": "user", "content": "..."}, {"role": "assistant", "content": "..."}]}',
  })
}
