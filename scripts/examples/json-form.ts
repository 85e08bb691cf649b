/**
 * @module A small question in, a JSON object out that says its kind and its answer: `messages` rows. The base knows the
 * answers and gives them as a bare word; only the form is new to it.
 */
import { skillFamilies } from "../corpus/skills.ts"
import type { ExampleSet } from "./example-set.ts"

/** What the base answers right by heart. */
const kinds = ["fact", "fact", "sentiment"] as const

export const jsonForm: ExampleSet = {
  name: "json-form",
  trainRows: 300,
  heldoutRows: 60,
  row(d) {
    const kind = d.random.pick(kinds)
    const document = skillFamilies.find(({ name }) => name === kind)!.make(d)
    if (!("messages" in document)) throw new TypeError(`Family ${kind} makes no conversation`)
    const [question, answer] = document.messages
    return {
      messages: [question, { role: "assistant", content: JSON.stringify({ kind, answer: answer!.content }) }],
    }
  },
}
