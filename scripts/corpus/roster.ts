/**
 * @module Drills for a base that reads already: who is on a list and who is not, what is so and what is not, which number
 * is the larger. Each asks many short questions about few words, so that exact comparison is most of what is learned:
 * of names above all, which a base of a few million parameters takes for others with the same syllables.
 */
import { type CorpusDocument, conversation, type Draw, type Family, type Turn } from "./document.ts"
import { alike, count, different, mingled, person, town } from "./names.ts"
import { peopleRelations } from "./people.ts"
import { UNKNOWN } from "./reading.ts"
import { plainWording, statement } from "./statements.ts"
import { townRelations } from "./towns.ts"
import { animalNames, colourNames, foods, items, jobs, places, things } from "./words.ts"

/** What stands between a name and its value. */
const joints = [": ", ": ", " - ", " has ", " and ", " = "]
/** What is asked about a name, the same way in a document. */
const bareQuestions = ["#?", "#", "And #?", "What is with #?", "Find #."]
const openingWords = ["", "", "List: ", "Here is a list. ", "Read this. "]

/** A name that nobody of the list has, and that is hard to tell from theirs as often as not. */
function stranger(d: Draw, names: readonly string[], make: () => string): string {
  const { random } = d
  for (;;) {
    const kind = random.below(5)
    const name = kind < 2 ? mingled(d, names) : kind < 4 ? alike(d, random.pick(names)) : make()
    if (!names.includes(name)) return name
  }
}

/** A list of names and values, then many names: the value of those on it, and nothing of the others. */
function roster(d: Draw): CorpusDocument {
  const { random } = d
  const make = random.next() < 0.75 ? () => person(d) : () => town(d)
  const names: string[] = []
  different(2 + random.below(4), () => {
    const name = names.length > 0 && random.next() < 0.5 ? alike(d, random.pick(names)) : make()
    names.push(name)
    return name
  })
  const list = [...new Set(names)]
  const [joint, question, opening] = [random.pick(joints), random.pick(bareQuestions), random.pick(openingWords)]
  const kind = random.pick([jobs, places, foods, colourNames, items, things, animalNames])
  const numbered = random.next() < 0.25
  const pairs = list.map((name) => ({ name, value: numbered ? String(count(d)) : random.pick(kind) }))
  const passage = `${opening}${pairs.map(({ name, value }) => `${name}${joint}${value}.`).join(" ")}`
  const turns = Array.from({ length: 6 + random.below(5) }, (): Turn => {
    const found = random.next() < 0.5 ? random.pick(pairs) : null
    const name = found?.name ?? stranger(d, list, make)
    return [question.replace("#", name), found?.value ?? UNKNOWN]
  })
  return asked("roster", passage, turns)
}

/** Sentences of one relation in the same words, and its question about those they name and those they don't. */
function census(d: Draw): CorpusDocument {
  const { random } = d
  const people = random.next() < 0.75
  const make = people ? () => person(d) : () => town(d)
  const relation = random.pick(people ? peopleRelations : townRelations)
  const other = random.pick((people ? peopleRelations : townRelations).filter((each) => each !== relation))
  const [wording, otherWording] = [plainWording(d, relation), plainWording(d, other)]
  const names = different(2 + random.below(4), make)
  const said = names.map((name) => statement(d, relation, name, wording))
  // One of whom something else is said: a name that is known is not enough.
  const aside = statement(d, other, stranger(d, names, make), otherWording)
  const passage = random.shuffle([...said, aside].map(({ sentence }) => sentence)).join(" ")
  const turns = random.shuffle([
    ...said.map(({ question, answer }): Turn => [question, answer]),
    ...Array.from({ length: said.length }, (): Turn => {
      const name = stranger(d, [...names, aside.subject], make)
      return [statement(d, relation, name, wording).question, UNKNOWN]
    }),
    // A home is where somebody may be found, and the other way round: of these neither leaves the other open.
    ...(mayAnswer(relation.name, other.name)
      ? []
      : [[statement(d, relation, aside.subject, wording).question, UNKNOWN] as Turn]),
  ])
  return asked("census", passage, turns.slice(0, 8))
}

const mayAnswer = (a: string, b: string): boolean => new Set([a, b, "home", "place"]).size === 2

/** What somebody has, and statements about it: as many are so as are not, before those that come twice are left out. */
function truths(d: Draw): CorpusDocument {
  const { random } = d
  const names = different(2 + random.below(2), () => person(d))
  const owned = different(names.length, () => random.pick(things))
  const [joint, question] = [
    random.pick([" has a ", ": ", " keeps a "]),
    random.pick(["Yes or no: # has a $.", "Yes or no? # $", "Is it so? # has a $.", "Say yes or no. # has a $."]),
  ]
  const passage = names.map((name, i) => `${name}${joint}${owned[i]}.`).join(" ")
  const turns = Array.from({ length: 6 + random.below(5) }, (): Turn => {
    const who = random.below(names.length)
    const isSo = random.next() < 0.5
    // What another one has, or what nobody has.
    const elsewhere = random.next() < 0.7 ? owned : things
    const thing = isSo ? owned[who]! : random.pick(elsewhere.filter((each) => each !== owned[who]))
    return [question.replace("#", names[who]!).replace("$", thing), isSo ? "yes" : "no"]
  })
  return asked("truths", passage, turns)
}

/** Two numbers, and which is the larger or the smaller: many in a row. */
function larger(d: Draw): CorpusDocument {
  const { random } = d
  const isLarger = random.next() < 0.5
  const word = isLarger ? "larger" : "smaller"
  const question = random.pick([`# or $, ${word}?`, `${word}: #, $`, `#, $: ${word}?`])
  const turns = Array.from({ length: 8 + random.below(6) }, (): Turn => {
    const [a, b] = different(2, () => count(d)) as [number, number]
    return [
      question.replace("#", String(a)).replace("$", String(b)),
      String(isLarger ? Math.max(a, b) : Math.min(a, b)),
    ]
  })
  return conversation("larger", [...new Map(turns)])
}

/** A passage and questions about it, each once: said before, an answer need only be said again. */
const asked = (kind: string, passage: string, turns: readonly Turn[]): CorpusDocument =>
  conversation(
    kind,
    [...new Map(turns)].map(([question, answer], i): Turn => [i === 0 ? `${passage} ${question}` : question, answer]),
  )

export const rosterFamilies: readonly Family[] = [
  { name: "roster", weight: 0, again: 30, scored: false, make: roster },
  { name: "census", weight: 0, again: 30, scored: false, make: census },
  { name: "truths", weight: 0, again: 14, scored: false, make: truths },
  { name: "larger", weight: 0, again: 8, scored: false, make: larger },
]
