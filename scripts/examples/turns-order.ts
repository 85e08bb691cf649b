/**
 * @module A conversation of several turns: orders are noted one by one, then read back, which takes what was said turns
 * ago, as a list: `messages` rows. The base reads orders back too, in another form.
 */
import { orderTurns } from "../corpus/forms.ts"
import { type ExampleSet, messagesRow } from "./example-set.ts"

export const turnsOrder: ExampleSet = {
  name: "turns-order",
  trainRows: 240,
  heldoutRows: 60,
  row: (d) => messagesRow(orderTurns(d, "listed")),
}
