/**
 * @module What a bundled data set is: rows that teach a form which the embedded base never shows, each with one right
 * answer. Rows to learn from and held-out rows share no name, no number and no template.
 */
import { type Draw, template } from "../corpus/document.ts"
import { person, splitOf, town } from "../corpus/names.ts"
import { items } from "../corpus/words.ts"

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

/** An order or a report about a delivery. */
export interface Delivery {
  readonly name: string
  readonly item: string
  readonly count: number
  readonly place: string
}

/** A number of two or more; one in eight is for held-out rows only. */
export function count({ random, split }: Draw): number {
  for (;;) {
    const found = 2 + random.below(98)
    if (splitOf(`count ${found}`) === split) return found
  }
}

/** A delivery of invented people and places. */
export const delivery = (d: Draw): Delivery => ({
  name: person(d),
  item: d.random.pick(items),
  count: count(d),
  place: town(d),
})

/** A delivery as a sentence. */
export function deliverySentence(d: Draw, { name, item, count: n, place }: Delivery): string {
  return template(d, [
    `${name} bought ${n} ${item} in ${place}.`,
    `${name} sold ${n} ${item} in ${place}.`,
    `In ${place}, ${name} found ${n} ${item}.`,
    `${n} ${item} were sent to ${name} in ${place}.`,
    `${name} took ${n} ${item} from ${place}.`,
    `${name} moved ${n} ${item} to ${place}.`,
    `${name} has ${n} ${item} in ${place}.`,
    `Bring ${n} ${item} to ${name} in ${place}.`,
    `In ${place}, ${n} ${item} were lost by ${name}.`,
    `${n} ${item} were bought by ${name} in ${place}.`,
    `${name} wants ${n} ${item} in ${place}.`,
    `In ${place}, ${name} bought ${n} ${item}.`,
    // Held out from here on.
    `${name} found ${n} ${item} in ${place}.`,
    `In ${place}, ${name} sold ${n} ${item}.`,
    `${n} ${item} were found by ${name} in ${place}.`,
  ])
}
