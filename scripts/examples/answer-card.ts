/**
 * @module A small question in, a card of two lines out, its answer and its kind: `messages` rows. The base knows the
 * answers and gives them as a bare word.
 */
import { cardTurns } from "../corpus/forms.ts"
import { type ExampleSet, messagesRow } from "./example-set.ts"

export const answerCard: ExampleSet = {
  name: "answer-card",
  trainRows: 300,
  heldoutRows: 60,
  row: (d) => messagesRow(cardTurns(d)),
}
