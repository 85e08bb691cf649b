/**
 * @module A row as a question with the answer it teaches: what before/after samples and scores are made from.
 */
import type { ChatMessage } from "../text/tokenizer-contract.ts"
import type { Row } from "./rows.ts"

/** What to ask, as turns for a base with a chat template and else as plain text, and the answer the row teaches. */
export interface Question {
  /** Messages up to the last assistant turn. */
  readonly messages: readonly ChatMessage[]
  /** The prompt as plain text; null where the row is a conversation. */
  readonly prompt: string | null
  readonly answer: string
  /** Tools that were offered. */
  readonly tools?: readonly unknown[]
}

/** The question in a row, or null where there is none: a plain text, or nothing before the assistant's turn. */
export function questionOf(row: Row): Question | null {
  if (row.kind === "text") return null
  const last = row.messages.findLastIndex(({ message }) => message.role === "assistant")
  if (last < 1) return null
  const answer = row.messages[last]!.message.content
  // An answer that is a call alone has no text to be compared with.
  if (answer.trim() === "") return null
  const tools = row.kind === "chat" ? row.tools : undefined
  return {
    messages: row.messages.slice(0, last).map(({ message }) => message),
    prompt: row.kind === "pair" ? row.prompt : null,
    answer,
    ...(tools && { tools }),
  }
}
