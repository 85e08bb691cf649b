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
  /** How often it comes when everything else is learned, where that differs. */
  readonly last?: number
  /** How often it comes at the very end, where that differs from the last: what the last weights have let fade comes back. */
  readonly end?: number
  /** How often it comes when a finished base goes on learning, where that differs from the end. */
  readonly again?: number
  /** How often it comes when that is well under way, where it differs: what it has learned is weighed up. */
  readonly againLate?: number
  /** Whether its answers can be scored by exact match. */
  readonly scored: boolean
  make(draw: Draw): CorpusDocument
}

/** What is said, and what is answered. */
export type Turn = readonly [user: string, assistant: string]

/** Turns as a conversation, after what the system says, if anything. */
export const conversation = (kind: string, turns: readonly Turn[], system?: string): CorpusDocument => ({
  kind,
  messages: [
    ...(system === undefined ? [] : [{ role: "system" as const, content: system }]),
    ...turns.flatMap(([user, assistant]): CorpusMessage[] => [
      { role: "user", content: user },
      { role: "assistant", content: assistant },
    ]),
  ],
})

/**
 * Several short tasks of one kind: in training up to `most` follow each other in a conversation, so that answers, which
 * are what is learned, come dense; held-out ones stand alone.
 */
export function tasks(kind: string, d: Draw, most: number, make: () => Turn): CorpusDocument {
  const turns = d.split === "heldout" ? 1 : 1 + d.random.below(most)
  return conversation(kind, Array.from({ length: turns }, make))
}

/**
 * One of several templates; the last fifth (at least one) is for the held-out split only.
 * @param at which one, from 0 up to 1: to say several things in the same words
 */
export function template<T>({ random, split }: Draw, templates: readonly T[], at = random.next()): T {
  const held = Math.max(1, Math.floor(templates.length / 5))
  const open = split === "heldout" ? templates.slice(-held) : templates.slice(0, -held)
  return open[Math.floor(at * open.length)]!
}

/** "a, b and c". */
export const joined = (words: readonly string[]): string =>
  words.length < 2 ? words.join("") : `${words.slice(0, -1).join(", ")} and ${words.at(-1)}`
