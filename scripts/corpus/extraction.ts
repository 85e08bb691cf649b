/**
 * @module Copying: values out of a sentence into `key: value` lines and lists, words in quotes, and drills.
 */
import { type CorpusDocument, type Draw, exchange, type Family, template } from "./document.ts"
import { different, person, town } from "./names.ts"
import { colourNames, items, jobs, things } from "./words.ts"

/** A small report with its values. */
export interface Report {
  readonly sentence: string
  readonly values: Readonly<Record<string, string>>
}

/** A sentence about somebody, with what it says. */
export function report(d: Draw): Report {
  const name = person(d)
  const place = town(d)
  const count = String(1 + d.random.below(99))
  const item = d.random.pick(items)
  const job = d.random.pick(jobs)
  const colour = d.random.pick(colourNames)
  return template<() => Report>(d, [
    () => ({ sentence: `${name} bought ${count} ${item} in ${place}.`, values: { name, item, count, place } }),
    () => ({ sentence: `${name} sold ${count} ${item} in ${place}.`, values: { name, item, count, place } }),
    () => ({ sentence: `In ${place}, ${name} found ${count} ${item}.`, values: { name, item, count, place } }),
    () => ({ sentence: `${count} ${item} were sent to ${name} in ${place}.`, values: { name, item, count, place } }),
    () => ({ sentence: `${name} is a ${job} in ${place}.`, values: { name, job, place } }),
    () => ({ sentence: `The ${job} ${name} comes from ${place}.`, values: { name, job, place } }),
    () => ({ sentence: `${name} the ${job} has ${count} ${item}.`, values: { name, job, item, count } }),
    () => ({ sentence: `${name} has ${count} ${colour} ${item}.`, values: { name, item, count, colour } }),
    () => ({ sentence: `A ${colour} coat was left in ${place} by ${name}.`, values: { name, colour, place } }),
    () => ({ sentence: `${name} carried ${count} ${item} to ${place}.`, values: { name, item, count, place } }),
    () => ({ sentence: `${name} took ${count} ${item} from ${place}.`, values: { name, item, count, place } }),
  ])()
}

function keyValues(d: Draw): CorpusDocument {
  const { sentence, values } = report(d)
  const keys = d.random.shuffle(Object.keys(values)).slice(0, 1 + d.random.below(Object.keys(values).length))
  const order = d.random.next() < 0.5 ? Object.keys(values).filter((key) => keys.includes(key)) : keys
  const wanted = order.join(", ")
  const question = template(d, [
    `Find ${wanted}. ${sentence}`,
    `${sentence} Give the ${wanted}.`,
    `Take ${wanted} from this: ${sentence}`,
    `${sentence} Write down ${wanted}.`,
    `Fill in ${wanted}. ${sentence}`,
    `List ${wanted} of this note. ${sentence}`,
  ])
  return exchange("extraction", question, order.map((key) => `${key}: ${values[key]}`).join("\n"))
}

function quoted(d: Draw): CorpusDocument {
  const { sentence, values } = report(d)
  const key = d.random.pick(Object.keys(values))
  const question = template(d, [
    `Quote the ${key}. ${sentence}`,
    `${sentence} Put the ${key} in quotes.`,
    `Write the ${key} in quotes: ${sentence}`,
    `${sentence} Quote its ${key}.`,
    `The ${key} in quotes, please. ${sentence}`,
  ])
  return exchange("quote", question, `"${values[key]}"`)
}

function listing(d: Draw): CorpusDocument {
  const words = different(2 + d.random.below(4), () => d.random.pick(d.random.next() < 0.5 ? items : things))
  const joined = `${words.slice(0, -1).join(", ")} and ${words.at(-1)}`
  const name = person(d)
  const sentence = template(d, [
    `${name} has ${joined}.`,
    `There are ${joined} here.`,
    `We need ${joined}.`,
    `${name} wants ${joined}.`,
    `Bring ${joined}.`,
  ])
  const question = template(d, [
    `Make a list. ${sentence}`,
    `${sentence} List the things.`,
    `Write a list of the things: ${sentence}`,
    `${sentence} Now make a list.`,
    `List all things. ${sentence}`,
  ])
  return exchange("list", question, words.map((word) => `- ${word}`).join("\n"))
}

const anything = (d: Draw): string =>
  d.random.pick([
    () => person(d),
    () => town(d),
    () => d.random.pick(items),
    () => d.random.pick(things),
    () => String(d.random.below(1000)),
  ])()

function copy(d: Draw): CorpusDocument {
  const words = Array.from({ length: 1 + d.random.below(6) }, () => anything(d)).join(" ")
  return exchange(
    "copy",
    template(d, [
      `Repeat: ${words}`,
      `Say this again: ${words}`,
      `Copy these words: ${words}`,
      `Say: ${words}`,
      `Write this: ${words}`,
    ]),
    words,
  )
}

/** Pairs that come back: seeing the first half again, the second follows. */
function induction(d: Draw): CorpusDocument {
  const pairs = Array.from({ length: 2 + d.random.below(4) }, () => `${person(d)} ${anything(d)}`)
  const shuffled = d.random.shuffle([...pairs])
  return { kind: "induction", text: `${pairs.join(". ")}. ${shuffled.join(". ")}.` }
}

export const extractionFamilies: readonly Family[] = [
  { name: "extraction", weight: 14, scored: true, make: keyValues },
  { name: "quote", weight: 7, scored: true, make: quoted },
  { name: "list", weight: 5, scored: true, make: listing },
  { name: "copy", weight: 7, scored: true, make: copy },
  { name: "induction", weight: 6, scored: false, make: induction },
]
