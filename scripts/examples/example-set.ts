/**
 * @module What a bundled data set is: rows that teach a form that the embedded base doesn't give by itself, each with one
 * right answer. Rows to learn from and held-out rows share no name, no number and no template.
 */
import { article } from "../corpus/corpus.ts"
import type { Draw, Turn } from "../corpus/document.ts"

/** A row of a data file, in any of the shapes that the trainer reads. */
export type ExampleRow = Readonly<Record<string, unknown>>

/** A bundled data set. */
export interface ExampleSet {
  /** Its files are `<name>.train.jsonl` and `<name>.heldout.jsonl`. */
  readonly name: string
  readonly trainRows: number
  readonly heldoutRows: number
  row(draw: Draw): ExampleRow
}

/** Turns as a `messages` row. */
export const messagesRow = (turns: readonly Turn[]): ExampleRow => ({
  messages: turns.flatMap(([user, assistant]) => [
    { role: "user", content: article(user) },
    { role: "assistant", content: article(assistant) },
  ]),
})
