/**
 * @module Rows of what the base was taught before, to be mixed into the batches of what it is to learn: rehearsal,
 * Robins 1995, https://doi.org/10.1080/09540099550039318.
 */
import { encodeUtf8 } from "../core/bytes.ts"
import { EspalierError } from "../core/errors.ts"
import type { RetentionSet } from "../eval/retention.ts"
import type { Suite, SuiteItem } from "../eval/suite.ts"
import type { DataFile } from "./task-data.ts"

/**
 * The items of a suite that retention does not score, as rows to train on: what is judged is never what was rehearsed.
 * @throws {EspalierError} `invalid_request` where retention takes them all.
 */
export function replayOfSuite(suite: Suite, { items }: RetentionSet): DataFile {
  const scored = new Set(items.map(({ line }) => line))
  const rest = suite.items.filter(({ line }) => !scored.has(line))
  if (rest.length === 0)
    throw new EspalierError("invalid_request", "Retention scores every item of the suite, so none is left to replay", {
      param: "replay",
      hint: "Give rows with --replay-data file, or score fewer items: --retention-items n",
    })
  const rows = rest.map((item) => `${JSON.stringify(rowOf(item))}\n`)
  return { name: "the suite's other items.jsonl", bytes: encodeUtf8(rows.join("")) }
}

/** A text as it is; a question with its first answer. */
function rowOf(item: SuiteItem): Record<string, unknown> {
  if ("text" in item) return { text: item.text }
  return { messages: [...item.messages, { role: "assistant", content: item.answers[0] }] }
}
