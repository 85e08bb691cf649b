/**
 * @module A data set ready for training, and the account of what became of each row.
 */
import { EspalierError, isEspalierError } from "../core/errors.ts"
import { sha256Hex } from "../core/hash.ts"
import type { Tokenizer } from "../text/tokenizer-contract.ts"
import { countLabelled, type Example } from "./batch.ts"
import type { LossOn } from "./mask.ts"
import type { Skipped } from "./raw-row.ts"
import { type ReadOptions, readRows } from "./read.ts"
import { type Rendered, renderRow } from "./render.ts"
import { parseRows, type Row, type RowShape } from "./rows.ts"

/** Options of {@link buildDataset}. */
export interface DatasetOptions {
  /** A longer row is cut on the right, in tokens. */
  readonly maxLength: number
  /** @default {"completion"} */
  readonly lossOn?: LossOn
  /** Render prompts with completions by the chat template where there is one. @default {true} */
  readonly chatTemplate?: boolean
}

/** What became of the rows. */
export interface DatasetReport {
  /** Rows that are trained on. */
  readonly used: number
  /** Rows that are not, by line. */
  readonly skipped: readonly Skipped[]
  /** How many rows of each shape are used. */
  readonly shapes: Readonly<Partial<Record<RowShape, number>>>
  /** The length that longer rows were cut at, in tokens. */
  readonly maxLength: number
  /** Rows that were cut and are used. */
  readonly truncated: number
  /** Tokens lost by those cuts. */
  readonly cutTokens: number
  /** The longest row, in tokens before the cut. */
  readonly longest: number
  /** Tokens of all used rows, after the cut. */
  readonly tokens: number
  /** Tokens among them that count in the loss. */
  readonly labelledTokens: number
  /** Rows whose tokens are those of an earlier row; they are used all the same. */
  readonly duplicates: number
}

/** Examples in the order of the file. */
export interface Dataset {
  readonly examples: readonly Example[]
  /** Each used row as it was written, by line. */
  readonly rows: ReadonlyMap<number, Row>
  readonly report: DatasetReport
}

/** A data set from a file, with the hash of its bytes. */
export interface LoadedDataset extends Dataset {
  readonly name: string
  /** Of the raw bytes, for provenance and for resuming. */
  readonly sha256: string
}

const NOTHING_LABELLED = "No token counts in the loss"

/**
 * Reads, recognises and tokenises a data file.
 * @param name the file's name, for its ending and for messages
 * @throws {EspalierError} `invalid_file` if it can't be read at all or no row can be used.
 */
export async function loadDataset(
  name: string,
  bytes: Uint8Array,
  tokenizer: Tokenizer,
  options: DatasetOptions & ReadOptions,
): Promise<LoadedDataset> {
  const read = readRows(name, bytes, options)
  const parsed = parseRows(read.rows)
  const dataset = buildDataset(parsed.rows, tokenizer, options, { name, skipped: [...read.skipped, ...parsed.skipped] })
  return { ...dataset, name, sha256: await sha256Hex(bytes) }
}

/**
 * Tokenises rows.
 * @param before the file's name for messages, and rows that were skipped before
 * @throws {EspalierError} `invalid_file` if no row can be used, with the first reasons.
 * @throws {RangeError} If `maxLength` is below 2, which leaves nothing to predict.
 */
export function buildDataset(
  rows: readonly Row[],
  tokenizer: Tokenizer,
  options: DatasetOptions,
  before: { readonly name?: string; readonly skipped?: readonly Skipped[] } = {},
): Dataset {
  const { maxLength } = options
  if (!(maxLength >= 2)) throw new RangeError(`Expected a longest row of at least 2 tokens but found ${maxLength}`)
  const skipped: Skipped[] = [...(before.skipped ?? [])]
  const examples: Example[] = []
  const used = new Map<number, Row>()
  const shapes: Partial<Record<RowShape, number>> = {}
  const seen = new Set<number>()
  const sums = { truncated: 0, cutTokens: 0, longest: 0, tokens: 0, labelledTokens: 0, duplicates: 0 }

  for (const row of rows) {
    const rendered = tryRender(row, tokenizer, options)
    if (typeof rendered === "string") {
      skipped.push({ line: row.line, reason: rendered })
      continue
    }
    const whole = rendered.ids.length
    const ids = rendered.ids.slice(0, maxLength)
    const labels = rendered.labels.slice(0, maxLength)
    const labelled = countLabelled(labels)
    sums.longest = Math.max(sums.longest, whole)
    if (labelled === 0) {
      const cut = countLabelled(rendered.labels) > 0
      const reason = cut ? `${NOTHING_LABELLED} after the cut at ${maxLength} of ${whole} tokens` : NOTHING_LABELLED
      skipped.push({ line: row.line, reason })
      continue
    }
    examples.push({ ids, labels, line: row.line })
    used.set(row.line, row)
    shapes[row.shape] = (shapes[row.shape] ?? 0) + 1
    if (whole > maxLength) sums.truncated++
    sums.cutTokens += whole - ids.length
    sums.tokens += ids.length
    sums.labelledTokens += labelled
    const print = fingerprint(ids)
    if (seen.has(print)) sums.duplicates++
    seen.add(print)
  }

  skipped.sort((a, b) => a.line - b.line)
  if (examples.length === 0) throw unusable(before.name ?? "The data set", skipped)
  return { examples, rows: used, report: { used: examples.length, skipped, shapes, maxLength, ...sums } }
}

/** The row's tokens, or the reason why the template or the tokenizer refuses it. */
function tryRender(row: Row, tokenizer: Tokenizer, options: DatasetOptions): Rendered | string {
  try {
    return renderRow(row, tokenizer, options)
  } catch (error) {
    if (isEspalierError(error)) return error.hint ? `${error.message} (${error.hint})` : error.message
    throw error
  }
}

const SHOWN = 5

function unusable(name: string, skipped: readonly Skipped[]): EspalierError {
  const isMasked = skipped.length > 0 && skipped.every(({ reason }) => reason.startsWith(NOTHING_LABELLED))
  const lines = skipped.slice(0, SHOWN).map(({ line, reason }) => `\n  line ${line}: ${reason}`)
  const more = skipped.length > SHOWN ? `\n  and ${skipped.length - SHOWN} more` : ""
  const what =
    skipped.length === 0 ? "has no row" : isMasked ? "has nothing to learn: every label is masked" : "has no usable row"
  return new EspalierError("invalid_file", `${name} ${what}${lines.join("")}${more}`, {
    hint: isMasked
      ? "Give longer rows room with --max-length, or learn from whole rows with --loss-on all"
      : 'A row looks like {"prompt": "...", "completion": "..."} or {"messages": [{"role": "user", "content": "..."}, ...]}',
  })
}

/** 52 bits of a hash over token ids (cyrb53, bryc, public domain): equal rows are counted, not compared. */
function fingerprint(ids: Int32Array): number {
  let h1 = 0xdeadbeef
  let h2 = 0x41c6ce57
  for (const id of ids) {
    h1 = Math.imul(h1 ^ id, 2654435761)
    h2 = Math.imul(h2 ^ id, 1597334677)
  }
  h1 = Math.imul(h1 ^ (h1 >>> 16), 2246822507) ^ Math.imul(h2 ^ (h2 >>> 13), 3266489909)
  h2 = Math.imul(h2 ^ (h2 >>> 16), 2246822507) ^ Math.imul(h1 ^ (h1 >>> 13), 3266489909)
  return 4294967296 * (2097151 & h2) + (h1 >>> 0)
}
