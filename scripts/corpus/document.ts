/**
 * @module What the corpus is made of: documents, and the split that keeps held-out material apart.
 */
import type { Rng } from "../../src/core/rng.ts"

/** Which part of the invented world a document may draw from. */
export type Split = "train" | "heldout"

/** One document: a text, or a conversation. */
export type CorpusDocument =
  | { readonly kind: string; readonly text: string }
  | { readonly kind: string; readonly messages: readonly CorpusMessage[] }

/** One turn. */
export interface CorpusMessage {
  readonly role: "system" | "user" | "assistant"
  readonly content: string
}

/** Where a family takes its choices from. */
export interface Draw {
  readonly random: Rng
  readonly split: Split
}

/** A family of documents. */
export interface Family {
  readonly name: string
  /** How often it comes, relative to the others. */
  readonly weight: number
  /** How often it comes at the very beginning, where that differs. */
  readonly early?: number
  /** Whether its answers can be scored by exact match. */
  readonly scored: boolean
  make(draw: Draw): CorpusDocument
}

/** A question and its answer as a conversation. */
export const exchange = (kind: string, question: string, answer: string): CorpusDocument => ({
  kind,
  messages: [
    { role: "user", content: question },
    { role: "assistant", content: answer },
  ],
})

/** One of several templates; the last fifth (at least one) is for the held-out split only. */
export function template<T>({ random, split }: Draw, templates: readonly T[]): T {
  const held = Math.max(1, Math.floor(templates.length / 5))
  return random.pick(split === "heldout" ? templates.slice(-held) : templates.slice(0, -held))
}
