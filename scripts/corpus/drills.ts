/**
 * @module Drills that teach to copy: everything that is read from a passage stands on them.
 */
import { type CorpusDocument, type Draw, type Family, tasks } from "./document.ts"
import { filler } from "./fillers.ts"
import { count, different, person, river, town } from "./names.ts"
import { peopleRelations } from "./people.ts"
import { statement } from "./statements.ts"
import { townRelations } from "./towns.ts"
import { asked } from "./wording.ts"
import {
  adjectives,
  animalNames,
  bad,
  colourNames,
  days,
  foods,
  good,
  items,
  jobs,
  months,
  places,
  smallWords,
  things,
  verbs,
} from "./words.ts"

const anything = (d: Draw): string =>
  d.random.pick([
    () => person(d),
    () => person(d),
    () => town(d),
    () => river(d),
    () => d.random.pick(items),
    () => d.random.pick(things),
    () => d.random.pick(d.random.pick([jobs, places, foods])),
    () => String(count(d)),
  ])()

/** Words of every kind in any order: what is copied then leans on no wording. */
function salad(d: Draw): string {
  const words = Array.from({ length: 4 + d.random.below(9) }, () =>
    d.random.below(2) === 0 ? d.random.pick(smallWords) : d.random.below(2) === 0 ? anything(d) : anyWord(d),
  )
  return `${words.join(" ")}.`
}

const anyWord = (d: Draw): string =>
  d.random.pick(d.random.pick([adjectives, verbs, animalNames, colourNames, days, months, good, bad]))

const copy = (d: Draw): CorpusDocument =>
  tasks("copy", d, 3, () => {
    const words = d.random.pick([
      () => Array.from({ length: 1 + d.random.below(6) }, () => anything(d)).join(" "),
      () => Array.from({ length: 1 + d.random.below(6) }, () => anything(d)).join(" "),
      () => salad(d),
      () => salad(d),
      () => filler(d),
      () => statement(d, d.random.pick(peopleRelations), person(d)).sentence,
      () => statement(d, d.random.pick(townRelations), town(d)).sentence,
    ])()
    const question = asked(
      d,
      "copy",
      [
        "repeat",
        "say this again",
        "copy these words",
        "say",
        "repeat these words",
        "write these words",
        "copy this",
        "write this",
        "say it again",
        "repeat after me",
      ],
      words,
    )
    return [question, words]
  })

/** What was said comes back: in order, or pair by pair in another order. */
function induction(d: Draw): CorpusDocument {
  const { random } = d
  if (random.below(3) === 0) {
    const words = Array.from({ length: 4 + random.below(9) }, () => anything(d)).join(" ")
    const text = random.below(2) === 0 ? `${words}.` : salad(d)
    return { kind: "induction", text: `${text} ${text} ${text}` }
  }
  const keys = different(3 + random.below(4), () => person(d))
  const pairs = keys.map((key) => `${key} ${anything(d)}`)
  const again = (): string => random.shuffle([...pairs]).join(". ")
  return { kind: "induction", text: `${pairs.join(". ")}. ${again()}. ${again()}.` }
}

export const drillFamilies: readonly Family[] = [
  { name: "copy", weight: 6, early: 40, scored: true, make: copy },
  { name: "induction", weight: 3, early: 100, scored: false, make: induction },
]
