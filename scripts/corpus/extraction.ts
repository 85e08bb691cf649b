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
  const count = String(2 + d.random.below(98))
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
    () => ({ sentence: `In ${place}, ${count} ${item} were lost by ${name}.`, values: { name, item, count, place } }),
    () => ({ sentence: `${name} took ${count} ${item} home to ${place}.`, values: { name, item, count, place } }),
    () => ({ sentence: `${name} carried ${count} ${item} through ${place}.`, values: { name, item, count, place } }),
    () => ({ sentence: `In ${place}, ${name} works as a ${job}.`, values: { name, job, place } }),
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
    `Note: ${sentence} Find ${wanted}.`,
    `Give ${wanted} of this note. ${sentence}`,
    `${sentence} List ${wanted}.`,
    `Please find ${wanted}. ${sentence}`,
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
    `Please quote the ${key}. ${sentence}`,
    `${sentence} Quote the ${key}, please.`,
    `Give the ${key} in quotes. ${sentence}`,
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
    `Bring us ${joined}.`,
    `${name} bought ${joined}.`,
    `Here are ${joined}.`,
    `Bring ${joined}.`,
  ])
  const question = template(d, [
    `Make a list. ${sentence}`,
    `${sentence} List the things.`,
    `Write a list of the things: ${sentence}`,
    `${sentence} Now make a list.`,
    `List all of these. ${sentence}`,
    `${sentence} List all the things.`,
    `List the things in this note. ${sentence}`,
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
      `Repeat these words: ${words}`,
      `Write these words: ${words}`,
      `Copy this: ${words}`,
      `Write this: ${words}`,
    ]),
    words,
  )
}

/** What was said comes back: in order, or pair by pair in another order. */
function induction(d: Draw): CorpusDocument {
  const { random } = d
  if (random.below(2) === 0) {
    const words = Array.from({ length: 4 + random.below(9) }, () => anything(d)).join(" ")
    return { kind: "induction", text: `${words}. ${words}. ${words}.` }
  }
  const keys = different(3 + random.below(4), () => person(d))
  const value = random.below(2) === 0 ? () => person(d) : () => anything(d)
  const pairs = keys.map((key) => `${key} ${value()}`)
  const again = (): string => random.shuffle([...pairs]).join(". ")
  return { kind: "induction", text: `${pairs.join(". ")}. ${again()}. ${again()}.` }
}

export const extractionFamilies: readonly Family[] = [
  { name: "extraction", weight: 14, scored: true, make: keyValues },
  { name: "quote", weight: 7, scored: true, make: quoted },
  { name: "list", weight: 5, scored: true, make: listing },
  { name: "copy", weight: 8, early: 40, scored: true, make: copy },
  { name: "induction", weight: 8, early: 100, scored: false, make: induction },
]
