/**
 * @module A small question in, a card of two lines out, its answer and its kind: `messages` rows. The base knows the
 * answers and gives them as a bare word; only the form is new to it.
 */
import { skillFamilies } from "../corpus/skills.ts"
import { facts } from "../corpus/words.ts"
import type { ExampleSet } from "./example-set.ts"

/** What the base answers right by heart. */
const families = ["fact", "fact", "sentiment"] as const

/** What an answer is about: a fact's topic, or a judgement. */
export function kindOf(answer: string): string {
  const topic = facts.find(([, , known]) => known === answer)?.[0]
  return topic?.replace(" after", "") ?? "good or bad"
}

export const answerCard: ExampleSet = {
  name: "answer-card",
  trainRows: 300,
  heldoutRows: 60,
  row(d) {
    const family = d.random.pick(families)
    const document = skillFamilies.find(({ name }) => name === family)!.make(d)
    if (!("messages" in document)) throw new TypeError(`Family ${family} makes no conversation`)
    const [question, answer] = document.messages
    const content = `- answer: ${answer!.content}\n- kind: ${kindOf(answer!.content)}`
    return { messages: [question, { role: "assistant", content }] }
  },
}
