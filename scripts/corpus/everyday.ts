/**
 * @module Notes, questions and requests in ordinary English, of which the embedded base was taught nothing: so that a router
 * is not fitted to the base's own small world alone. Each split has its own names, subjects, wordings and requests.
 */
import { type Rng, rng } from "../../src/core/rng.ts"
import type { Split } from "./document.ts"
import { heldoutRequests, type Materials, trainRequests } from "./everyday-requests.ts"
import type { NoteDocument, RetrievalItem, RetrievalSet, RetrievalSizes } from "./retrieval.ts"

/** Something that can be said of a subject, and asked for. `{s}` is the subject, `{v}` what is said of it. */
interface Relation {
  readonly statements: readonly string[]
  readonly questions: readonly string[]
  readonly values: (random: Rng) => string
}

/** Subjects of a kind. */
interface Kind {
  /** What they are called: `{n}` is an invented name, and what has none is one subject. */
  readonly names: readonly string[]
  readonly relations: readonly Relation[]
}

const of =
  (...values: readonly string[]) =>
  (random: Rng): string =>
    random.pick(values)
const between =
  (low: number, high: number, unit = "") =>
  (random: Rng): string =>
    `${low + random.below(high - low)}${unit}`

const given = {
  train: ["Ada", "Boris", "Carla", "Dimitri", "Elena", "Farid", "Greta", "Hugo"],
  heldout: ["Ines", "Jonas", "Katya", "Liam", "Mei", "Noor", "Oskar", "Paula"],
} as const
const family = {
  train: ["Abbott", "Becker", "Castillo", "Drummond", "Ferrante", "Grayson"],
  heldout: ["Hartley", "Ivanova", "Jensen", "Kowalski", "Lindqvist", "Moreau"],
} as const
const personOf =
  (split: Split) =>
  (random: Rng): string =>
    `${random.pick(given[split])} ${random.pick(family[split])}`

const trainKinds: readonly Kind[] = [
  {
    names: ["{n} Systems", "{n} Logistics", "{n} Foods", "{n} Insurance"],
    relations: [
      {
        statements: ["{s} was founded by {v}.", "The founder of {s} is {v}."],
        questions: ["Who founded {s}?", "Do you know who the founder of {s} was?", "Tell me who started {s}."],
        values: personOf("train"),
      },
      {
        statements: ["{s} has its headquarters in {v}.", "The head office of {s} is in {v}."],
        questions: ["Where is {s} based?", "In which city are the headquarters of {s}?", "where's the {s} head office"],
        values: of("Lisbon", "Oslo", "Denver", "Osaka", "Nairobi"),
      },
      {
        statements: ["{s} employs {v} people.", "There are {v} people on the staff of {s}."],
        questions: ["How many people work at {s}?", "What is the number of employees at {s}?", "Staff count of {s}?"],
        values: between(20, 9000),
      },
      {
        statements: ["Refunds from {s} are paid within {v}.", "{s} pays refunds within {v}."],
        questions: ["How long does a refund from {s} take?", "When will {s} pay my refund?"],
        values: between(3, 40, " days"),
      },
    ],
  },
  {
    names: ["the {n} kettle", "the {n} X2 printer", "the {n} bicycle"],
    relations: [
      {
        statements: ["{s} costs {v}.", "The price of {s} is {v}."],
        questions: ["How much is {s}?", "What does {s} cost?", "price of {s} please"],
        values: between(15, 900, " euros"),
      },
      {
        statements: ["{s} comes with a warranty of {v}.", "The warranty of {s} lasts {v}."],
        questions: ["How long is {s} under warranty?", "What warranty does {s} have?"],
        values: between(1, 9, " years"),
      },
      {
        statements: ["{s} weighs {v}.", "The weight of {s} is {v}."],
        questions: ["How heavy is {s}?", "What is the weight of {s}?", "Could you tell me how much {s} weighs?"],
        values: between(2, 40, " kilograms"),
      },
      {
        statements: ["To reset {s}, {v}.", "If {s} hangs, {v}."],
        questions: ["How do I reset {s}?", "What should I do if {s} hangs?"],
        values: of(
          "hold the green button for ten seconds",
          "pull the plug and wait a minute",
          "press both keys at once",
        ),
      },
    ],
  },
  {
    names:
      "canteen,car park,help desk,warehouse,gym,mail room,print shop,archive,workshop,nursery,sauna,cinema,tool shed"
        .split(",")
        .map((name) => `the ${name}`),
    relations: [
      {
        statements: ["{s} opens at {v}.", "The doors of {s} open at {v}."],
        questions: ["When does {s} open?", "What time does {s} open in the morning?", "opening time of {s}?"],
        values: of("seven", "half past seven", "eight", "ten"),
      },
      {
        statements: ["{s} is on the {v} floor.", "You find {s} on the {v} floor."],
        questions: ["Where do I find {s}?", "On which floor is {s}?"],
        values: of("first", "second", "third", "ground"),
      },
      {
        statements: ["The manager of {s} is {v}.", "{v} runs {s}."],
        questions: ["Who runs {s}?", "Who is the manager of {s}?"],
        values: personOf("train"),
      },
    ],
  },
  {
    names:
      "overtime,sick leave,business trips,home office,training courses,company cars,holidays,parking permits,guest passes".split(
        ",",
      ),
    relations: [
      {
        statements: ["{s} must be announced {v} ahead.", "Announce {s} {v} before."],
        questions: ["How early must I announce {s}?", "How far ahead do I have to tell you of {s}?"],
        values: between(2, 30, " days"),
      },
      {
        statements: ["Questions about {s} go to {v}.", "{v} is responsible for {s}."],
        questions: ["Who do I ask about {s}?", "Who is responsible for {s}?", "who decides on {s}"],
        values: of("the head of department", "the personnel office", "the front desk", "the works council"),
      },
      {
        statements: ["The limit for {s} is {v} a year.", "No more than {v} a year are granted for {s}."],
        questions: ["What is the yearly limit for {s}?", "How much do I get for {s} in a year?"],
        values: between(100, 900, " euros"),
      },
      {
        statements: ["The form for {s} is {v}.", "Use {v} for {s}."],
        questions: ["Which form do I need for {s}?", "Can I see which form is for {s}?"],
        values: of("form 12", "form 31", "the blue sheet", "the yellow sheet"),
      },
    ],
  },
]

const heldoutKinds: readonly Kind[] = [
  {
    names: ["the island of {n}", "the republic of {n}", "{n} County"],
    relations: [
      {
        statements: ["The capital of {s} is {v}.", "{s} is governed from {v}, its capital."],
        questions: [
          "What's the capital of {s}?",
          "Which city is the capital of {s}?",
          "I need to know the capital of {s}.",
        ],
        values: of("Port Amary", "Westhaven", "Corvale", "Santa Brisa", "Old Quay"),
      },
      {
        statements: ["{s} has a population of {v}.", "About {v} people live in {s}."],
        questions: ["What is the population of {s}?", "How many inhabitants does {s} have?", "population of {s}"],
        values: between(1000, 90_000),
      },
      {
        statements: ["People in {s} pay with the {v}.", "The currency of {s} is the {v}."],
        questions: ["What currency is used in {s}?", "Which money do I need in {s}?"],
        values: of("crown", "florin", "ducat", "talon"),
      },
      {
        statements: ["The highest mountain of {s} is {v}.", "{v} is the highest mountain of {s}."],
        questions: ["What is the highest mountain in {s}?", "Name the tallest mountain of {s}."],
        values: of("Mount Sorrel", "Grey Peak", "Mount Halder", "the Needle"),
      },
    ],
  },
  {
    names: ["the {n} festival", "the {n} conference", "the {n} marathon"],
    relations: [
      {
        statements: ["{s} begins on {v}.", "The first day of {s} is {v}."],
        questions: ["When does {s} start?", "On what date does {s} begin?", "Can you tell me when {s} starts?"],
        values: of("3 May", "12 June", "21 September", "9 October"),
      },
      {
        statements: ["{s} takes place in {v}.", "The venue of {s} is {v}."],
        questions: ["Where is {s} held?", "What is the venue of {s}?", "where does {s} take place?"],
        values: of("the Corn Exchange", "Harbour Hall", "Mill Park", "the old station"),
      },
      {
        statements: ["{s} is organised by {v}.", "{v} organises {s}."],
        questions: ["Who organises {s}?", "Who is the organiser of {s}?", "Who's in charge of {s}?"],
        values: personOf("heldout"),
      },
      {
        statements: ["A ticket for {s} costs {v}.", "Tickets for {s} are {v}."],
        questions: ["How much are tickets for {s}?", "What do I pay for a ticket to {s}?"],
        values: between(5, 200, " pounds"),
      },
    ],
  },
  {
    names: "pool,museum shop,night bus,clinic,laundry,ferry,bakery,chapel,ice rink,library,post office,town hall"
      .split(",")
      .map((name) => `the ${name}`),
    relations: [
      {
        statements: ["{s} closes at {v}.", "After {v}, {s} is closed."],
        questions: ["How late is {s} open?", "At what time does {s} close?", "When does {s} shut?"],
        values: of("six", "half past five", "nine", "midnight"),
      },
      {
        statements: ["The telephone number of {s} is {v}.", "Call {s} at {v}."],
        questions: ["What number do I call for {s}?", "What's the phone number of {s}?"],
        values: between(2000, 9000),
      },
      {
        statements: ["{s} can take {v} people.", "There is room for {v} people in {s}."],
        questions: ["How many people fit into {s}?", "What is the capacity of {s}?"],
        values: between(10, 300),
      },
    ],
  },
]

const syllables = {
  train: ["bra", "vel", "tor", "quin", "mar", "dex", "lo", "zan", "pri", "gal"],
  heldout: ["cor", "wyn", "shi", "ber", "nox", "tal", "ume", "fal", "dri", "ost"],
} as const

/** Names that no two subjects share. */
function namesOf(random: Rng, split: Split, count: number): string[] {
  const found = new Set<string>()
  while (found.size < count) {
    const text = Array.from({ length: 2 + random.below(2) }, () => random.pick(syllables[split])).join("")
    found.add(`${text[0]!.toUpperCase()}${text.slice(1)}`)
  }
  return [...found]
}

/** A subject for each name, of all kinds in turn; those that have no name of their own come once each. */
function subjectsOf(random: Rng, kinds: readonly Kind[], names: readonly string[]): { kind: Kind; s: string }[] {
  const taken = new Set<string>()
  const subjects = names.map((n, i) => {
    const turn = kinds[i % kinds.length]!
    const free = turn.names.filter((name) => !taken.has(name))
    const kind = free.length > 0 ? turn : kinds[(i + 1) % kinds.length]!
    const name = random.pick(free.length > 0 ? free : [...kind.names])
    if (!name.includes("{n}")) taken.add(name)
    return { kind, s: name.replace("{n}", n) }
  })
  return random.shuffle(subjects)
}

const filled = (pattern: string, slots: Readonly<Record<string, string>>): string => {
  const text = pattern.replace(/\{(\w)\}/g, (whole, slot: string) => slots[slot] ?? whole)
  return `${text[0]!.toUpperCase()}${text.slice(1)}`
}

/** A set; the same seed and split give the same one. */
export function everydaySet(
  seed: number,
  split: Split,
  { documents: count, open, forms }: RetrievalSizes,
): RetrievalSet {
  const random = rng(seed, `everyday:${split}`)
  const kinds = split === "train" ? trainKinds : heldoutKinds
  const documents: NoteDocument[] = []
  const facts: RetrievalItem[] = []
  const unsaid: RetrievalItem[] = []
  const absent: RetrievalItem[] = []
  const item = (
    kind: RetrievalItem["kind"],
    content: string,
    answer: string | null,
    document: string | null,
  ): RetrievalItem => ({
    kind,
    messages: [{ role: "user", content }],
    answer,
    document,
    retrieve: kind !== "form",
  })
  const ask = (relation: Relation, s: string): string => {
    const pattern = random.pick(relation.questions)
    // Some people write without capitals, but for names.
    return pattern[0] === pattern[0]!.toLowerCase() && !pattern.startsWith("{")
      ? pattern.replaceAll("{s}", s)
      : filled(pattern, { s })
  }
  const subjects = subjectsOf(random, kinds, namesOf(random, split, count + open))
  for (const [i, { kind, s }] of subjects.entries()) {
    if (i >= count) {
      absent.push(item("absent", ask(random.pick(kind.relations), s), "I don't know.", null))
      continue
    }
    const [left, ...said] = random.shuffle([...kind.relations])
    const id = `page-${i + 1}`
    const told = said.map((relation) => ({ relation, v: relation.values(random) }))
    const text = told.map(({ relation, v }) => filled(random.pick(relation.statements), { s, v })).join(" ")
    documents.push({ id, title: `Page ${i + 1}`, text })
    for (const { relation, v } of told) facts.push(item("fact", ask(relation, s), v, id))
    unsaid.push(item("unsaid", ask(left!, s), "I don't know.", null))
  }
  const requests = split === "train" ? trainRequests : heldoutRequests
  const materials: Materials = { random, subject: () => random.pick(subjects).s }
  const formItems = Array.from({ length: forms }, (_, i) =>
    item("form", requests[i % requests.length]!(materials), null, null),
  )
  const items = [...random.shuffle(facts), ...random.shuffle(unsaid).slice(0, open), ...absent, ...formItems]
  return { documents, items: random.shuffle(items) }
}
