/**
 * @module Suites: held-out items that a base is scored by. A suite is one JSONL file, each line an item of a family:
 *
 * - a question, `{"family", "messages", "answer"}`, right if the greedy answer is `answer`, or one of `"answers": [...]`,
 *   to the letter, whitespace around it aside;
 * - a text, `{"family", "text"}`, whose loss a token counts.
 *
 * Families whose name begins with `unknown` hold questions that can't be answered: "I don't know." is the answer there.
 */
import * as v from "valibot"
import { EspalierError } from "../core/errors.ts"
import { sha256Hex } from "../core/hash.ts"
import type { RawRow, Skipped } from "../data/raw-row.ts"
import { readRows } from "../data/read.ts"
import type { ChatMessage } from "../text/tokenizer-contract.ts"

/** What says that a question can't be answered. */
export const ABSTENTION = "I don't know."

/** Whether a family's questions can't be answered. */
export const isUnanswerable = (family: string): boolean => family.startsWith("unknown")

/** A question with every answer that is right, at least one. */
export interface SuiteQuestion {
  readonly family: string
  /** Its line in the file, 1-based. */
  readonly line: number
  readonly messages: readonly ChatMessage[]
  readonly answers: readonly string[]
}

/** A text to be predicted. */
export interface SuiteText {
  readonly family: string
  readonly line: number
  readonly text: string
}

/** One item. */
export type SuiteItem = SuiteQuestion | SuiteText

/** A suite as it was read. */
export interface Suite {
  readonly name: string
  /** sha256 of the file: scores are comparable only over the same items. */
  readonly hash: string
  readonly items: readonly SuiteItem[]
}

const filled = v.pipe(
  v.string(),
  v.check((text) => text.trim() !== "", "Expected some text but found none"),
)
const family = v.pipe(
  filled,
  v.regex(/^\P{Cc}{1,60}$/u, "Expected a name of at most 60 characters, none of them a control character"),
)
const messages = v.pipe(
  v.array(v.looseObject({ role: filled, content: v.string() })),
  v.nonEmpty("Expected at least one message"),
  v.check((list) => list.at(-1)?.role !== "assistant", "Expected a question at the end but found an answer"),
)
const question = v.strictObject({
  family,
  messages,
  answer: v.optional(filled),
  answers: v.optional(v.pipe(v.array(filled), v.nonEmpty("Expected at least one answer"))),
})
const text = v.strictObject({ family, text: filled })

/** Bad lines that an error shows. */
const MOST_SHOWN = 12

/**
 * Reads a suite.
 * @param name what messages call the file
 * @throws {EspalierError} `invalid_file` with every line that can't be used, and why. Scores without some of the items
 *   could not be compared with scores over all of them, so none is left out.
 */
export async function readSuite(name: string, bytes: Uint8Array): Promise<Suite> {
  const { rows, skipped } = readRows(name, bytes, { format: "jsonl" })
  const items: SuiteItem[] = []
  const bad: Skipped[] = [...skipped]
  for (const row of rows) {
    const item = parseItem(row)
    if (typeof item === "string") bad.push({ line: row.line, reason: item })
    else items.push(item)
  }
  if (bad.length > 0) {
    bad.sort((a, b) => a.line - b.line)
    const shown = bad.slice(0, MOST_SHOWN).map(({ line, reason }) => `${name}:${line}: ${reason}`)
    if (bad.length > shown.length) shown.push(`and ${bad.length - shown.length} more`)
    throw new EspalierError("invalid_file", `${name} has lines that are no items:\n  ${shown.join("\n  ")}`, {
      param: "suite",
      hint: "docs/formats.md says what an item is",
    })
  }
  if (items.length === 0) throw new EspalierError("invalid_file", `${name} holds no items`, { param: "suite" })
  return { name, hash: await sha256Hex(bytes), items }
}

/** One item, or the reason why a line is none. */
function parseItem({ line, value }: RawRow): SuiteItem | string {
  if ("text" in value) return checked(text, value, (found) => ({ line, ...found }))
  if (!("messages" in value)) return "Expected messages with an answer, or a text"
  return checked(question, value, ({ family, messages, answer, answers = [] }) => {
    const all = [...new Set([...(answer === undefined ? [] : [answer]), ...answers].map((each) => each.trim()))]
    if (all.length === 0) return "answer: Expected some text but found none"
    if (isUnanswerable(family) && !all.includes(ABSTENTION))
      return `answer: Expected ${JSON.stringify(ABSTENTION)}, as the name of family ${family} begins with "unknown"`
    return { line, family, messages, answers: all }
  })
}

function checked<S extends v.GenericSchema>(
  schema: S,
  value: unknown,
  make: (found: v.InferOutput<S>) => SuiteItem | string,
): SuiteItem | string {
  const result = v.safeParse(schema, value)
  if (result.success) return make(result.output)
  return result.issues.map((issue) => `${v.getDotPath(issue) ?? "item"}: ${issue.message}`).join("; ")
}

/** Which items of a suite are scored. */
export interface Selection {
  /** Only these families; all where it is absent. */
  readonly families?: readonly string[]
  /** The first so many items of each family; all where it is absent. */
  readonly limit?: number
}

/**
 * The chosen items, in the order of the suite.
 * @throws {EspalierError} `invalid_request` for a family that the suite does not have.
 * @throws {RangeError} For a limit below 1.
 */
export function selectItems(
  { name, items }: Suite,
  { families, limit = Number.POSITIVE_INFINITY }: Selection,
): SuiteItem[] {
  if (!(limit >= 1)) throw new RangeError(`Expected a limit of at least 1 item a family but found ${limit}`)
  const known = new Set(items.map(({ family }) => family))
  const strange = (families ?? []).filter((family) => !known.has(family))
  if (strange.length > 0) {
    throw new EspalierError("invalid_request", `${name} has no family ${strange.join(", ")}`, {
      param: "family",
      hint: `Known: ${[...known].join(", ")}`,
    })
  }
  const counts = new Map<string, number>()
  return items.filter(({ family }) => {
    if (families && !families.includes(family)) return false
    counts.set(family, (counts.get(family) ?? 0) + 1)
    return counts.get(family)! <= limit
  })
}
