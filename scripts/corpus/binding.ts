/**
 * @module Drills that bind a value to its subject, from what stands side by side to free questions: reading a passage
 * takes this, and it is hardly ever learned from whole questions alone.
 */
import { type CorpusDocument, conversation, type Draw, type Family, type Turn } from "./document.ts"
import { different, person, town } from "./names.ts"
import { peopleRelations } from "./people.ts"
import { UNKNOWN } from "./reading.ts"
import { plainWording, type Statement, statement } from "./statements.ts"
import { townRelations } from "./towns.ts"
import { adjectives, colourNames, foods, items, jobs, places, smallWords, things } from "./words.ts"

/** Statements of one relation about several subjects, all in the same words, and one about a subject of which none is. */
function statements(d: Draw, count: number): { said: Statement[]; open: Statement } {
  const people = d.random.next() < 0.7
  const relation = d.random.pick(people ? peopleRelations : townRelations)
  const wording = plainWording(d, relation)
  const made = different(count + 1, () => (people ? person(d) : town(d))).map((subject) =>
    statement(d, relation, subject, wording),
  )
  return { said: made.slice(1), open: made[0]! }
}

/** A key, the same few words for every key, a value; then all again in another order. */
function gap(d: Draw): CorpusDocument {
  const { random } = d
  const between = Array.from({ length: 1 + random.below(4) }, () => random.pick(smallWords)).join(" ")
  const values = random.pick([jobs, places, foods, colourNames, items, things, adjectives])
  const keys = different(3 + random.below(4), () => person(d))
  const pairs = keys.map((key) => `${key} ${between} ${random.pick(values)}`)
  const again = (): string => random.shuffle([...pairs]).join(". ")
  return { kind: "gap", text: `${pairs.join(". ")}. ${again()}. ${again()}.` }
}

/** Sentences of one kind, and the same ones in another order. */
function restated(d: Draw): CorpusDocument {
  const sentences = statements(d, 3 + d.random.below(3)).said.map(({ sentence }) => sentence)
  const again = (): string => d.random.shuffle([...sentences]).join(" ")
  return { kind: "restated", text: `${again()} ${again()} ${again()}` }
}

/** Sentences of one kind, then a question about each, all in the same words; now and then one that they leave open. */
function asked(d: Draw): CorpusDocument {
  const { said, open } = statements(d, 2 + d.random.below(4))
  const passage = said.map(({ sentence }) => sentence).join(" ")
  const questions = said.map(({ question, answer }): Turn => [question, answer])
  if (d.random.next() < 0.4) questions.push([open.question, UNKNOWN])
  const turns = d.random
    .shuffle(questions)
    .map(([question, answer], i): Turn => [i === 0 ? `${passage} ${question}` : question, answer])
  return conversation("asked", d.split === "heldout" ? turns.slice(0, 1) : turns)
}

export const bindingFamilies: readonly Family[] = [
  { name: "gap", weight: 2, early: 40, scored: false, make: gap },
  { name: "restated", weight: 2, early: 50, scored: false, make: restated },
  { name: "asked", weight: 8, early: 70, scored: false, make: asked },
]
