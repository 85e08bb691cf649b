/**
 * @module A plain sentence in, the same sentence as a pirate would say it out: prompt and completion rows.
 */
import { template } from "../corpus/document.ts"
import { person, town } from "../corpus/names.ts"
import { colourNames, foods, jobs, places, things } from "../corpus/words.ts"
import { delivery, deliverySentence, type ExampleSet } from "./example-set.ts"

export const stylePirate: ExampleSet = {
  name: "style-pirate",
  trainRows: 240,
  heldoutRows: 60,
  row(d) {
    const { random } = d
    const name = person(d)
    const place = random.pick(places)
    const plain =
      random.below(3) === 0
        ? deliverySentence(d, delivery(d))
        : template(d, [
            `${name} lives in ${town(d)}.`,
            `${name} eats ${random.pick(foods)} every day.`,
            `${name} waits near the ${place}.`,
            `${name} went to the ${place}.`,
            `${name} has a ${random.pick(colourNames.filter((colour) => colour !== "orange"))} coat.`,
            `${name} lost the ${random.pick(things)} at the ${place}.`,
            `The ${random.pick(jobs)} is called ${name}.`,
            `The ${random.pick(things)} is near the ${place}.`,
            // Held out from here on.
            `${name} found the ${random.pick(things)} near the ${place}.`,
            `${name} is at the ${place}.`,
          ])
    return { prompt: plain, completion: `Arr! ${plain.slice(0, -1)}, matey!` }
  },
}
