/**
 * @module Forms that a system message asks for. The example data sets teach the same forms without one: the base then has
 * what it takes, and an adapter makes it the default.
 */
import { type CorpusDocument, conversation, type Draw, type Family, type Turn } from "./document.ts"
import { count, different, person } from "./names.ts"
import { report } from "./report.ts"
import { plainSentence } from "./rewriting.ts"
import { factTurn, sentimentTurn } from "./skills.ts"
import { phrased } from "./wording.ts"
import { animalNames, days, facts, foods, items, jobs, months } from "./words.ts"

/** What an answer is about: a fact's topic, or a judgement. */
export function kindOf(answer: string): string {
  const topic = facts.find(([, , known]) => known === answer)?.[0]
  return topic?.replace(" after", "") ?? "judgement"
}

/** A small question, answered on a card of two lines. */
export function cardTurns(d: Draw): Turn[] {
  const [question, answer] = d.random.below(3) < 2 ? factTurn(d) : sentimentTurn(d)
  return [[question, `- answer: ${answer}\n- kind: ${kindOf(answer)}`]]
}

/** A sentence, as a pirate would say it. */
export function pirateTurns(d: Draw): Turn[] {
  const plain = plainSentence(d)
  return [[plain, `Arr! ${plain.slice(0, -1)}, matey!`]]
}

/** A report of goods, as an object of four fields. */
export function objectTurns(d: Draw): Turn[] {
  for (;;) {
    const { sentence, values } = report(d)
    const { name, item, count, place, ...rest } = values
    if (place !== undefined && item !== undefined && Object.keys(rest).length === 0)
      return [[sentence, JSON.stringify({ name, item, count, place })]]
  }
}

/** The drawers that notes are sorted into. */
export const drawers = ["menu", "zoo", "staff", "diary"] as const

/** A note, and its drawer. */
export function drawerTurns(d: Draw): Turn[] {
  const name = person(d)
  const drawer = d.random.pick(drawers)
  const word = d.random.pick({ menu: foods, zoo: animalNames, staff: jobs, diary: [...days, ...months] }[drawer])
  const notes = {
    menu: () => [
      `${name} wants ${word}.`,
      `${name} made some ${word}.`,
      `There is ${word} for ${name}.`,
      `We need more ${word}.`,
      `The ${word} is good.`,
      `${name} likes ${word}.`,
      `${name} eats ${word} every day.`,
      `Bring ${word} to ${name}.`,
      `${name} asked for ${word}.`,
      `There is more ${word} here.`,
    ],
    zoo: () => [
      `${name} saw the ${word}.`,
      `The ${word} is near ${name}.`,
      `There was a ${word} here.`,
      `${name} likes the ${word}.`,
      `${name} keeps a ${word}.`,
      `Look, a ${word}!`,
      `The ${word} was lost.`,
      `${name} has a small ${word}.`,
      `${name} found the ${word}.`,
      `The ${word} is here.`,
    ],
    staff: () => [
      `${name} is the ${word}.`,
      `${name} works as a ${word}.`,
      `The ${word} is called ${name}.`,
      `We need a ${word}.`,
      `${name} is a good ${word}.`,
      `${name} went to the ${word}.`,
      `The ${word} lives near ${name}.`,
      `The ${word} works here.`,
      `The new ${word} is ${name}.`,
      `${name} asked for the ${word}.`,
    ],
    diary: () => [
      `See ${name} next ${word}.`,
      `${name} works every ${word}.`,
      `Next ${word} we go to ${name}.`,
      `${name} comes next ${word}.`,
      `Next ${word} is fine.`,
      `Every ${word} there is a walk.`,
      `We saw ${name} last ${word}.`,
      `Last ${word} was cold.`,
      `${name} has time next ${word}.`,
      `We see ${name} every ${word}.`,
    ],
  }[drawer]()
  return [[phrased(d, `note ${drawer}`, notes), drawer]]
}

/** How orders are read back. */
const readings = {
  numbered: (orders: readonly Order[]) =>
    orders.map(({ name, goods }, i) => `Order ${i + 1}: ${goods}, ${name}.`).join(" "),
  listed: (orders: readonly Order[]) => orders.map(({ name, goods }) => `- ${name}: ${goods}`).join("\n"),
} as const

interface Order {
  readonly name: string
  readonly goods: string
}

/** Orders noted one by one, then read back, which takes what was said turns ago. */
export function orderTurns(d: Draw, reading: keyof typeof readings): Turn[] {
  const names = different(2 + d.random.below(2), () => person(d))
  const orders = names.map((name) => ({ name, goods: `${count(d)} ${d.random.pick(items)}` }))
  const turns = orders.map(({ name, goods }, i): Turn => {
    const order = phrased(d, "order", [
      `${name} wants ${goods}.`,
      `Bring ${goods} to ${name}.`,
      `${name} asked for ${goods}.`,
      `${goods} for ${name}.`,
      `We need ${goods} for ${name}.`,
      `${name} needs ${goods}.`,
      `Send ${goods} to ${name}.`,
      `Bring ${name} ${goods}.`,
      `Send ${name} ${goods}.`,
      `${goods} to ${name}.`,
    ])
    return [order, `Order ${i + 1} noted.`]
  })
  const ask = phrased(d, "orders?", [
    "Read the orders.",
    "Say the orders again.",
    "Name all orders.",
    "Give me the orders.",
    "List all orders.",
  ])
  return [...turns, [ask, readings[reading](orders)]]
}

/** What a system message asks for; without one, orders are read back numbered. */
const systems: readonly (readonly [messages: readonly string[], turns: (d: Draw) => Turn[]])[] = [
  [["Answer on a card.", "Use cards.", "You write cards.", "Answer with a card."], cardTurns],
  [["Talk like a pirate.", "You are a pirate.", "Say all like a pirate.", "Talk as a pirate."], pirateTurns],
  [["Answer in JSON.", "Use JSON.", "You write JSON.", "Answer with JSON."], objectTurns],
  [["Sort notes into drawers.", "You sort notes.", "Name the drawer of a note.", "Sort notes."], drawerTurns],
  [["You take orders.", "You note orders.", "Take orders.", "Note the orders."], (d) => orderTurns(d, "numbered")],
  [["You list orders.", "List the orders.", "You keep a list.", "List orders."], (d) => orderTurns(d, "listed")],
  [[], (d) => orderTurns(d, "numbered")],
  [[], (d) => orderTurns(d, "numbered")],
]

function formed(d: Draw): CorpusDocument {
  const [messages, turns] = d.random.pick(systems)
  return conversation("form", turns(d), messages.length > 0 ? phrased(d, `system ${messages[0]}`, messages) : undefined)
}

export const formFamilies: readonly Family[] = [{ name: "form", weight: 9, scored: true, make: formed }]
