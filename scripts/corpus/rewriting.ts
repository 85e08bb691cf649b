/**
 * @module Sentences said in another way, and passages said in one sentence.
 */
import { type CorpusDocument, type Draw, type Family, tasks } from "./document.ts"
import { filler } from "./fillers.ts"
import { count, person, town } from "./names.ts"
import { peopleRelations } from "./people.ts"
import { report } from "./report.ts"
import { statement } from "./statements.ts"
import { townRelations } from "./towns.ts"
import { phrased, task } from "./wording.ts"
import { foods, items, jobs, places } from "./words.ts"

/** A plain sentence about somebody, ended by a full stop. */
export const plainSentence = (d: Draw): string =>
  d.random.pick([
    () => report(d).sentence,
    () => report(d).sentence,
    () => statement(d, d.random.pick(peopleRelations), person(d)).sentence,
    () => statement(d, d.random.pick(townRelations), town(d)).sentence,
    () => filler(d),
  ])()

const body = (sentence: string): string => sentence.slice(0, -1)

/** Ways to say a sentence. */
export const styles: Readonly<Record<string, (sentence: string) => string>> = {
  loudly: (s) => `${body(s)}!`,
  politely: (s) => `Please note: ${s} Thank you.`,
  "like a king": (s) => `Hear me! ${s}`,
  "like a cat": (s) => `Meow! ${body(s)}, meow!`,
  "like a robot": (s) => `Beep. ${s} Beep.`,
  "like news": (s) => `News: ${s}`,
  twice: (s) => `${s} ${s}`,
  "as a quote": (s) => `"${s}"`,
  "as a rumour": (s) => `They say: ${body(s)}.`,
}

const restyle = (d: Draw): CorpusDocument =>
  tasks("style", d, 3, () => {
    const sentence = plainSentence(d)
    const how = d.random.pick(Object.keys(styles))
    const question = task(
      d,
      "style",
      ["say this _", "say that _", "write this _", "write that _", "put this _", "tell it _", "say it _", "write it _"],
      sentence,
      (command) => command.replace("_", how),
    )
    return [question, styles[how]!(sentence)]
  })

const summary = (d: Draw): CorpusDocument =>
  tasks("summary", d, 2, () => {
    const name = person(d)
    const home = town(d)
    const job = d.random.pick(jobs)
    const n = count(d)
    const item = d.random.pick(items)
    const sentences = d.random.shuffle([
      phrased(d, "summary job", [
        `${name} is a ${job}.`,
        `${name} works as a ${job}.`,
        `${name} became a ${job}.`,
        `${name} is now a ${job}.`,
      ]),
      phrased(d, "summary home", [
        `${name} lives in ${home}.`,
        `${name} moved to ${home}.`,
        `The home of ${name} is in ${home}.`,
      ]),
      phrased(d, "summary goods", [
        `${name} has ${n} ${item}.`,
        `${name} owns ${n} ${item}.`,
        `${name} bought ${n} ${item}.`,
        `${name} keeps ${n} ${item}.`,
      ]),
      ...(d.random.next() < 0.5 ? [`${name} likes ${d.random.pick(foods)}.`] : []),
      ...(d.random.next() < 0.5 ? [`Today ${name} is at the ${d.random.pick(places)}.`] : []),
    ])
    const passage = sentences.join(" ")
    const question = task(
      d,
      "summary",
      [
        "say this in one sentence",
        "sum this up",
        "sum up",
        "make this short",
        "write this in one sentence",
        "make one sentence of this",
        "say it in short",
        "give this in one sentence",
      ],
      passage,
    )
    return [question, `${name}, a ${job} from ${home}, has ${n} ${item}.`]
  })

export const rewritingFamilies: readonly Family[] = [
  { name: "style", weight: 9, scored: true, make: restyle },
  { name: "summary", weight: 4, scored: true, make: summary },
]
