/**
 * @module A note in, the drawer it belongs to out: Alpaca rows with four labels that the base has never seen.
 */
import { template } from "../corpus/document.ts"
import { person } from "../corpus/names.ts"
import { animalNames, days, foods, jobs, months } from "../corpus/words.ts"
import type { ExampleSet } from "./example-set.ts"

/** The four drawers. */
export const labels = ["menu", "zoo", "staff", "diary"] as const

export const labelsDesk: ExampleSet = {
  name: "labels-desk",
  trainRows: 240,
  heldoutRows: 60,
  row(d) {
    const { random } = d
    const name = person(d)
    const label = random.pick(labels)
    const word = random.pick({ menu: foods, zoo: animalNames, staff: jobs, diary: [...days, ...months] }[label])
    const note = {
      menu: () => [
        `${name} wants ${word}.`,
        `${name} made some ${word}.`,
        `There is ${word} for ${name}.`,
        `We need more ${word}.`,
        `The ${word} is good.`,
        `${name} likes ${word}.`,
        `${name} eats ${word} every day.`,
        `Bring ${word} to ${name}.`,
        // Held out from here on.
        `${name} asked for ${word}.`,
        `There is more ${word} here.`,
      ],
      zoo: () => [
        `${name} saw the ${word}.`,
        `The ${word} is near ${name}.`,
        `There was a ${word} here.`,
        `${name} likes the ${word}.`,
        `${name} keeps a ${word}.`,
        `Look, a ${word}!`,
        `The ${word} was lost.`,
        `${name} has a small ${word}.`,
        // Held out from here on.
        `${name} found the ${word}.`,
        `The ${word} is here.`,
      ],
      staff: () => [
        `${name} is the ${word}.`,
        `${name} works as a ${word}.`,
        `The ${word} is called ${name}.`,
        `We need a ${word}.`,
        `${name} is a good ${word}.`,
        `${name} went to the ${word}.`,
        `The ${word} lives near ${name}.`,
        `The ${word} works here.`,
        // Held out from here on.
        `The new ${word} is ${name}.`,
        `${name} asked for the ${word}.`,
      ],
      diary: () => [
        `See ${name} next ${word}.`,
        `${name} works every ${word}.`,
        `Next ${word} we go to ${name}.`,
        `${name} comes next ${word}.`,
        `Next ${word} is fine.`,
        `Every ${word} there is a walk.`,
        `We saw ${name} last ${word}.`,
        `Last ${word} was cold.`,
        // Held out from here on.
        `${name} has time next ${word}.`,
        `We see ${name} every ${word}.`,
      ],
    }[label]()
    return { instruction: "Which drawer is this note for?", input: template(d, note), output: label }
  },
}
