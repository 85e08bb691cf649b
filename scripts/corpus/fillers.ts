/**
 * @module Sentences that say nothing of anybody invented: thousands of them, by which passages differ, and which are as
 * good as any other to be said again.
 */
import type { Draw } from "./document.ts"
import { count } from "./names.ts"
import { openers } from "./statements.ts"
import { composedIndex } from "./wording.ts"
import { adjectives, animalNames, colourNames, days, foods, items, jobs, months, places, things } from "./words.ts"

const frames = [...new Array<string>(24).fill(""), ...openers]

/** One such sentence. */
export function filler(d: Draw): string {
  const { random: r } = d
  const [adjective, other] = [r.pick(adjectives), r.pick(adjectives)]
  const [place, thing, animal] = [r.pick(places), r.pick(things), r.pick(animalNames)]
  const sentences = [
    `The ${place} is ${adjective}.`,
    `It was a ${adjective} ${r.pick(days)}.`,
    `A ${adjective} ${animal} ran to the ${place}.`,
    `There are ${count(d)} ${r.pick(items)} at the ${place}.`,
    `The ${adjective} ${thing} is at the ${place}.`,
    `We saw a ${r.pick(colourNames)} ${thing} in the ${place}.`,
    `In ${r.pick(months)} the ${place} is ${adjective} and ${other}.`,
    `The ${r.pick(jobs)} has a ${adjective} ${thing}.`,
    `Next ${r.pick(days)} the ${place} is closed.`,
    `The ${animal} ate the ${r.pick(foods)}.`,
    `My ${thing} is ${adjective} and ${other}.`,
    `A ${r.pick(jobs)} sold ${r.pick(foods)} near the ${place}.`,
    `The ${r.pick(foods)} at the ${place} was ${adjective}.`,
    `Every ${r.pick(days)} the ${r.pick(jobs)} comes to the ${place}.`,
    `The ${place} is near the ${r.pick(places)}.`,
    `In ${r.pick(months)} a ${animal} came to the ${place}.`,
    `Every ${r.pick(days)} the ${place} was ${adjective}.`,
    `The ${r.pick(jobs)} saw a ${adjective} ${animal}.`,
    `We found the ${thing} near the ${adjective} ${place}.`,
  ]
  const [at, frame] = composedIndex(d, "filler", sentences.length, frames)
  return `${frame} ${sentences[at]}`.trimStart()
}
