/**
 * @module A report or an order in, a JSON object with four fixed fields out: `messages` rows. The base reads such
 * sentences but has never seen an object.
 */
import { delivery, deliverySentence, type ExampleSet } from "./example-set.ts"

export const jsonReport: ExampleSet = {
  name: "json-report",
  trainRows: 300,
  heldoutRows: 60,
  row(d) {
    const { name, item, count, place } = delivery(d)
    return {
      messages: [
        { role: "user", content: deliverySentence(d, { name, item, count, place }) },
        { role: "assistant", content: JSON.stringify({ name, item, count, place }) },
      ],
    }
  },
}
