/**
 * @module A report in, a JSON object with four fixed fields out: `messages` rows.
 */
import { objectTurns } from "../corpus/forms.ts"
import { type ExampleSet, messagesRow } from "./example-set.ts"

export const jsonReport: ExampleSet = {
  name: "json-report",
  trainRows: 300,
  heldoutRows: 60,
  row: (d) => messagesRow(objectTurns(d)),
}
