/**
 * @module Several words put into a form: lists, other layouts, the reverse order.
 */
import { type CorpusDocument, type Draw, type Family, joined, tasks } from "./document.ts"
import { different, person } from "./names.ts"
import { asked, phrased, task } from "./wording.ts"
import { items, things } from "./words.ts"

const words = (d: Draw, least: number, most: number): string[] =>
  different(least + d.random.below(most - least + 1), () => d.random.pick(d.random.next() < 0.5 ? items : things))

function sentenceOf(d: Draw, found: readonly string[]): string {
  const name = person(d)
  const all = joined(found)
  return phrased(d, "things", [
    `${name} has ${all}.`,
    `There are ${all} here.`,
    `We need ${all}.`,
    `${name} wants ${all}.`,
    `Bring us ${all}.`,
    `${name} bought ${all}.`,
    `Here are ${all}.`,
    `Bring ${all}.`,
  ])
}

const listing = (d: Draw): CorpusDocument =>
  tasks("list", d, 2, () => {
    const found = words(d, 2, 5)
    const sentence = sentenceOf(d, found)
    const question = task(
      d,
      "list",
      [
        "make a list",
        "list the things",
        "write a list of the things",
        "list all of these",
        "list all the things",
        "show a list",
        "give a list of the things",
        "name the things in a list",
      ],
      sentence,
    )
    return [question, found.map((word) => `- ${word}`).join("\n")]
  })

const layouts: readonly (readonly [name: string, make: (words: readonly string[]) => string])[] = [
  ["with numbers", (found) => found.map((word, i) => `${i + 1}. ${word}`).join("\n")],
  ["with commas", (found) => found.join(", ")],
  ["with stars", (found) => found.map((word) => `* ${word}`).join("\n")],
  ["in one line", (found) => found.join(" ")],
  ["in brackets", (found) => found.map((word) => `[ ${word} ]`).join(" ")],
  ["with slashes", (found) => found.join(" / ")],
]

const format = (d: Draw): CorpusDocument =>
  tasks("format", d, 2, () => {
    const found = words(d, 2, 4)
    const sentence = sentenceOf(d, found)
    const [how, make] = d.random.pick(layouts)
    const question = task(
      d,
      "format",
      [
        "write the things _",
        "give the things _",
        "list the things _",
        "list them _",
        "write these things _",
        "show the things _",
        "put the things _",
        "name the things _",
      ],
      sentence,
      (command) => command.replace("_", how),
    )
    return [question, make(found)]
  })

const reversal = (d: Draw): CorpusDocument =>
  tasks("reversal", d, 3, () => {
    const found = words(d, 2, 5)
    const text = found.join(" ")
    const question = asked(
      d,
      "reversal",
      [
        "reverse",
        "reverse the words",
        "say these words backwards",
        "turn the order around",
        "write this backwards",
        "reverse these words",
        "give the words backwards",
        "backwards",
      ],
      text,
    )
    return [question, found.toReversed().join(" ")]
  })

export const orderFamilies: readonly Family[] = [
  { name: "list", weight: 4, scored: true, make: listing },
  { name: "format", weight: 4, scored: true, make: format },
  { name: "reversal", weight: 5, scored: true, make: reversal },
]
