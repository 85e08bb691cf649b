/**
 * @module Reading comprehension over one to four passages about invented people and towns, and the right answer where
 * they hold none. The relation that is asked for is said of several subjects, so that a guess never pays.
 */
import { type CorpusDocument, conversation, type Draw, type Family, type Turn } from "./document.ts"
import { filler } from "./fillers.ts"
import { alike, different, person, town } from "./names.ts"
import { peopleRelations } from "./people.ts"
import { type Relation, type Statement, statement } from "./statements.ts"
import { townRelations } from "./towns.ts"
import { composed } from "./wording.ts"

/** The words for what isn't known. */
export const UNKNOWN = "I don't know."

/** Passages, questions that they answer, and questions of the same kinds that they leave open. */
interface Material {
  readonly passages: readonly string[]
  readonly answered: readonly Statement[]
  readonly open: readonly Statement[]
}

/** How often a sentence about something else stands among those of a subject. */
const FILLED = 0.12

/** Sentences of the one could be taken to answer a question of the other. */
const clash = (a: Relation, b: Relation): boolean =>
  a === b || (a.name === "home" && b.name === "place") || (a.name === "place" && b.name === "home")

/** How often a subject of `likeness` has a name much like another's. */
const LIKE = 0.5

/**
 * @param likeness whether subjects may have names that differ in a syllable only
 * @param strangers how many more subjects of which nothing is said are asked about
 */
function material(d: Draw, passages: number, likeness = false, strangers = 0): Material {
  const { random } = d
  const people = random.next() < 0.75
  const relations = people ? peopleRelations : townRelations
  // One passage is about several subjects; of several passages each is about one.
  const several = passages === 1
  const names: string[] = []
  const subjects = different((several ? 2 + random.below(4) : passages) + 1, () => {
    const isLike = likeness && names.length > 0 && random.next() < LIKE
    const name = isLike ? alike(d, random.pick(names)) : people ? person(d) : town(d)
    names.push(name)
    return name
  })
  const absent = subjects.pop()!
  const main = random.pick(relations)
  const sharing = 2 + random.below(2)
  const said = subjects.map((subject, i) => {
    const first = i < sharing ? main : random.pick(relations)
    const others = relations.filter((relation) => !clash(relation, first))
    const known = random.next() < (several ? 0.25 : 0.7) ? [first, random.pick(others)] : [first]
    return { subject, known, statements: random.shuffle(known.map((relation) => statement(d, relation, subject))) }
  })
  const silent = random.pick(said)
  const others = different(strangers, () => {
    const name = likeness && random.next() < LIKE ? alike(d, random.pick(names)) : people ? person(d) : town(d)
    return names.includes(name) ? absent : name
  })
  const relationOf = (): Relation => random.pick(said.flatMap(({ known }) => known))
  const unsaid = relations.filter((relation) => !silent.known.some((known) => clash(known, relation)))
  const groups = random.shuffle(said.map(({ statements }) => statements))
  const texts = groups.map((group) => {
    const sentences = group.map(({ sentence }) => sentence)
    if (random.next() < FILLED) sentences.splice(random.below(sentences.length + 1), 0, filler(d))
    return sentences.join(" ")
  })
  return {
    passages: several ? [texts.join(" ")] : texts,
    answered: groups.flat(),
    open: [
      statement(d, main, absent),
      statement(d, random.pick(unsaid), silent.subject),
      ...others.map((subject) => statement(d, relationOf(), subject)),
    ],
  }
}

const intros = [
  "",
  "",
  "",
  "Read this. ",
  "Text: ",
  "Here is a note. ",
  "Use this note: ",
  "Passage: ",
  "Note: ",
  "Please use the text. ",
  "From this text: ",
  "Look at this. ",
]
const manyIntros = [
  "",
  "",
  "",
  "Read these. ",
  "Use these notes. ",
  "Here are some texts. ",
  "Use these passages: ",
  "Look at these. ",
  "From these notes: ",
]
const labels = [
  "",
  "",
  "",
  "Question: ",
  "Now answer: ",
  "Please answer. ",
  "Answer this: ",
  "Now tell me. ",
  "And now: ",
  "I ask: ",
]
const marks = ["Passage #: ", "[#] ", "Note #: ", "(#) ", "Text #: ", "#. ", "- ", ""]
const orders = ["passages", "passages", "question"]

/** A question with what it is asked of. */
function ask(d: Draw, passages: readonly string[], question: string): string {
  const [first] = passages as readonly [string, ...string[]]
  if (passages.length === 1) {
    const [intro, label, order] = composed(d, "ask one", intros, labels, orders)
    return order === "passages" ? `${intro}${first} ${label}${question}` : `${label}${question} ${intro}${first}`
  }
  const [intro, label, mark, order] = composed(d, "ask many", manyIntros, labels, marks, orders)
  const lines = mark === "- " || mark === ""
  const marked = passages.map((text, i) => `${mark.replace("#", String(i + 1))}${text}`)
  const all = `${intro.trimEnd()}${intro === "" ? "" : lines ? "\n" : " "}${marked.join(lines ? "\n" : " ")}`
  return order === "passages"
    ? `${all}${lines ? "\n" : " "}${label}${question}`
    : `${label}${question}${lines ? "\n" : " "}${all}`
}

/** How many of the questions that follow the first are left open by the passages. */
const OPEN_SHARE = 0.25

/** Passages and one question; in training, more questions follow, so that answers come dense. */
function reading(kind: string, d: Draw, passages: number, known: boolean): CorpusDocument {
  const { random } = d
  const found = material(d, passages)
  const answered = random.shuffle([...found.answered])
  const open = random.shuffle([...found.open])
  const turn = (isKnown: boolean): Turn | undefined => {
    const statement = (isKnown ? answered : open).pop()
    return statement && [statement.question, isKnown ? statement.answer : UNKNOWN]
  }
  const [question, answer] = turn(known)!
  const turns: Turn[] = [[ask(d, found.passages, question), answer]]
  for (let more = d.split === "heldout" ? 0 : random.below(4); more > 0; more--) {
    const next = turn(random.next() >= OPEN_SHARE)
    if (next) turns.push(next)
  }
  return conversation(kind, turns)
}

/** Passages and, in any order, up to `most` of the questions that they answer and leave open; held-out ones have one. */
function allAsked(kind: string, d: Draw, { passages, answered, open }: Material, most: number): CorpusDocument {
  const asked = d.random.shuffle([
    ...answered.map(({ question, answer }): Turn => [question, answer]),
    ...open.map(({ question }): Turn => [question, UNKNOWN]),
  ])
  const turns = asked
    .slice(0, d.split === "heldout" ? 1 : most)
    .map(([question, answer], i): Turn => [i === 0 ? ask(d, passages, question) : question, answer])
  return conversation(kind, turns)
}

/** Passages about subjects whose names are easily taken for each other, with all that can be asked of them. */
const likenesses = (d: Draw): CorpusDocument => allAsked("likenesses", d, material(d, 1 + d.random.below(4), true), 6)

/** How many questions about one passage follow each other at most, by the number of passages: rows are short. */
const ASKED = [8, 8, 7, 6]

/**
 * Passages with all that can be asked of them, so that answers come dense, and what they leave open, of names that are like
 * those that are there and of names that aren't.
 * @param strangers as of {@link material}
 */
function interview(kind: string, d: Draw, strangers: number): CorpusDocument {
  const count = 1 + d.random.below(4)
  return allAsked(kind, d, material(d, count, d.random.next() < 0.4, strangers), ASKED[count - 1]!)
}

/** A question of reading with the value that a passage would have said, and no passage. */
export function closedBookQuestion(d: Draw): Statement {
  const people = d.random.next() < 0.75
  return statement(d, d.random.pick(people ? peopleRelations : townRelations), people ? person(d) : town(d))
}

/** Questions about what nobody said anything of. */
function alone(d: Draw): CorpusDocument {
  const count = d.split === "heldout" ? 1 : 1 + d.random.below(2)
  const turns = Array.from({ length: count }, (): Turn => [closedBookQuestion(d).question, UNKNOWN])
  return conversation("unknown-alone", turns)
}

export const readingFamilies: readonly Family[] = [
  {
    name: "reading-1",
    weight: 22,
    last: 30,
    end: 36,
    again: 20,
    scored: true,
    make: (d) => reading("reading-1", d, 1, true),
  },
  { name: "reading-2", weight: 6, scored: true, make: (d) => reading("reading-2", d, 2, true) },
  { name: "reading-3", weight: 6, scored: true, make: (d) => reading("reading-3", d, 3, true) },
  { name: "reading-4", weight: 10, last: 18, scored: true, make: (d) => reading("reading-4", d, 4, true) },
  {
    name: "unknown",
    weight: 9,
    last: 20,
    end: 36,
    again: 20,
    scored: true,
    make: (d) => reading("unknown", d, 1 + d.random.below(4), false),
  },
  { name: "likenesses", weight: 0, last: 50, scored: false, make: likenesses },
  {
    name: "interview",
    weight: 0,
    again: 100,
    againLate: 0,
    scored: false,
    make: (d) => interview("interview", d, 3),
  },
  { name: "questions", weight: 0, againLate: 100, scored: false, make: (d) => interview("questions", d, 0) },
  { name: "unknown-alone", weight: 2, scored: true, make: alone },
]
