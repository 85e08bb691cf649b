/**
 * @module Reading comprehension over invented people and places, and the right answer where the passage holds none.
 * Every passage has several candidates of the same kind, so that a guess never pays.
 */
import { type CorpusDocument, type Draw, exchange, type Family, template } from "./document.ts"
import { different, person, river, town } from "./names.ts"
import { colourNames, foods, items, jobs, places } from "./words.ts"

/** One thing said of one person. */
interface Statement {
  readonly subject: string
  readonly sentence: string
  readonly question: string
  readonly answer: string
}

type Maker = (draw: Draw, subject: string) => Statement

const number = (draw: Draw, most: number): string => String(2 + draw.random.below(most - 1))

const makers: readonly Maker[] = [
  (d, p) => {
    const job = d.random.pick(jobs)
    return {
      subject: p,
      sentence: template(d, [
        `${p} is a ${job}.`,
        `${p} works as a ${job}.`,
        `The ${job} is called ${p}.`,
        `${p} has been a ${job} for years.`,
        `The work of ${p} is that of a ${job}.`,
        `${p} the ${job} writes letters.`,
        `People call ${p} the ${job}.`,
        `They know ${p} as a ${job}.`,
        `${p} became a ${job}.`,
        // Held out from here on; every word of theirs stands in templates of training.
        `People know ${p} as a ${job}.`,
        `${p} is now a ${job}.`,
      ]),
      question: template(d, [
        `What is ${p}'s job?`,
        `What does ${p} work as?`,
        `What work does ${p} do?`,
        `Which job does ${p} have?`,
        `Name the work of ${p}.`,
        `What is the job of ${p}?`,
        `Tell me what ${p} works as.`,
        `Tell me the job of ${p}.`,
      ]),
      answer: job,
    }
  },
  (d, p) => {
    const t = town(d)
    return {
      subject: p,
      sentence: template(d, [
        `${p} lives in ${t}.`,
        `${p} has a house in ${t}.`,
        `The home of ${p} is in ${t}.`,
        `${p} moved to ${t}.`,
        `${p} walks home to ${t}.`,
        `${p} lives in the town of ${t}.`,
        `${t} is the home of ${p}.`,
        `You can find ${p} in ${t}.`,
      ]),
      question: template(d, [
        `Where does ${p} live?`,
        `In which town does ${p} live?`,
        `Which town is ${p} from?`,
        `Where is the home of ${p}?`,
        `Name the home town of ${p}.`,
        `In which town can I meet ${p}?`,
        `What town does ${p} live in?`,
        `Name the town of ${p}.`,
      ]),
      answer: t,
    }
  },
  (d, p) => {
    const n = number(d, 99)
    const item = d.random.pick(items)
    return {
      subject: p,
      sentence: template(d, [
        `${p} has ${n} ${item}.`,
        `${p} bought ${n} ${item}.`,
        `${p} owns ${n} ${item}.`,
        `There are ${n} ${item} in the house of ${p}.`,
        `${p} got ${n} ${item}.`,
        `In the bag of ${p} are ${n} ${item}.`,
        `${p} keeps ${n} ${item} at home.`,
        `${p} keeps ${n} ${item}.`,
      ]),
      question: template(d, [
        `How many ${item} does ${p} have?`,
        `How many ${item} are ${p}'s?`,
        `Count the ${item} of ${p}.`,
        `What is the number of ${item} that ${p} has?`,
        `Tell me how many ${item} ${p} has.`,
        `How many ${item} does ${p} own?`,
        `Name the number of ${item} that ${p} has.`,
        `Say how many ${item} ${p} has.`,
      ]),
      answer: n,
    }
  },
  (d, p) => {
    const colour = d.random.pick(colourNames)
    return {
      subject: p,
      sentence: template(d, [
        `${p} has a ${colour} coat.`,
        `${p} wears a ${colour} coat.`,
        `The coat of ${p} is ${colour}.`,
        `${p} likes the ${colour} coat.`,
        `${p} has a coat, and it is ${colour}.`,
        `${p} bought a ${colour} coat.`,
        `The ${colour} coat is ${p}'s.`,
        `${p} put on a ${colour} coat.`,
      ]),
      question: template(d, [
        `What colour is ${p}'s coat?`,
        `Which colour is the coat of ${p}?`,
        `What is the colour of ${p}'s coat?`,
        `Name the colour of ${p}'s coat.`,
        `Tell me the colour of ${p}'s coat.`,
      ]),
      answer: colour,
    }
  },
  (d, p) => {
    const friend = person(d)
    return {
      subject: p,
      sentence: template(d, [
        `${p} is a friend of ${friend}.`,
        `${p} often visits ${friend}.`,
        `The best friend of ${p} is ${friend}.`,
        `${p} went to school with ${friend}.`,
        `${p} has a friend called ${friend}.`,
        `${p} likes to meet ${friend}.`,
        `${p} has letters from ${friend}.`,
        `${p} writes letters to ${friend}.`,
      ]),
      question: template(d, [
        `Who is the friend of ${p}?`,
        `Who does ${p} know?`,
        `Which friend does ${p} have?`,
        `Who is ${p}'s friend?`,
        `Tell me the friend of ${p}.`,
        `Name the friend of ${p}.`,
      ]),
      answer: friend,
    }
  },
  (d, p) => {
    const place = d.random.pick(places)
    return {
      subject: p,
      sentence: template(d, [
        `${p} is at the ${place}.`,
        `${p} went to the ${place}.`,
        `${p} waits near the ${place}.`,
        `Today ${p} works at the ${place}.`,
        `You can find ${p} at the ${place}.`,
        `${p} put the bag down at the ${place}.`,
        `${p} can be found at the ${place}.`,
        `${p} walks to the ${place}.`,
      ]),
      question: template(d, [
        `Where is ${p}?`,
        `Which place is ${p} at?`,
        `At which place is ${p} now?`,
        `Where is ${p} now?`,
        `Name the place where ${p} is.`,
        `Where can I meet ${p}?`,
      ]),
      answer: place,
    }
  },
  (d, p) => {
    const food = d.random.pick(foods)
    return {
      subject: p,
      sentence: template(d, [
        `${p} likes ${food}.`,
        `${p} eats ${food} every day.`,
        `${p} made some ${food}.`,
        `The favourite food of ${p} is ${food}.`,
        `${p} wants ${food}.`,
        `There is ${food} for ${p}.`,
        `${p} bought some ${food}.`,
        `${p} asked for ${food}.`,
      ]),
      question: template(d, [
        `What does ${p} eat?`,
        `Which food does ${p} like?`,
        `Name the food of ${p}.`,
        `What food does ${p} like?`,
        `What food is for ${p}?`,
      ]),
      answer: food,
    }
  },
  (d) => {
    const t = town(d)
    const r = river(d)
    return {
      subject: t,
      sentence: template(d, [
        `${t} lies on the river ${r}.`,
        `The river ${r} flows through ${t}.`,
        `The river at ${t} is the ${r}.`,
        `${t} was built by the river ${r}.`,
      ]),
      question: template(d, [
        `Which river is at ${t}?`,
        `What is the river of ${t} called?`,
        `On which river does ${t} lie?`,
        `Name the river of ${t}.`,
        `Name the river at ${t}.`,
      ]),
      answer: r,
    }
  },
  (d) => {
    const t = town(d)
    const year = String(1100 + d.random.below(900))
    return {
      subject: t,
      sentence: template(d, [
        `${t} was founded in ${year}.`,
        `The town of ${t} began in ${year}.`,
        `People built ${t} in ${year}.`,
        `${t} is a town from ${year}.`,
      ]),
      question: template(d, [
        `When was ${t} founded?`,
        `In which year did ${t} begin?`,
        `What year is ${t} from?`,
        `In what year was ${t} founded?`,
        `Name the year of ${t}.`,
      ]),
      answer: year,
    }
  },
]

const ask = (d: Draw, passage: string, question: string): string =>
  template(d, [
    `${passage} ${question}`,
    `Read this. ${passage} ${question}`,
    `Text: ${passage} Question: ${question}`,
    `${question} Here is the text: ${passage}`,
    `Here is a note. ${passage} ${question}`,
    `Please use the text. ${passage} ${question}`,
    `Note: ${passage} Now answer: ${question}`,
    `Please answer. ${question} Note: ${passage}`,
    `Passage: ${passage} Question: ${question}`,
    `Question: ${question} Text: ${passage}`,
    `Use this note: ${passage} Answer this: ${question}`,
    `Use this note. ${passage} Now answer. ${question}`,
    `${question} Now use this note. ${passage}`,
  ])

/** A question over a passage; `known` says whether the passage answers it. */
function reading(d: Draw, known: boolean): CorpusDocument {
  const count = 2 + d.random.below(5)
  const maker = d.random.pick(makers)
  const people = different(count + 1, () => person(d))
  const same = 1 + d.random.below(Math.min(3, count))
  const statements = people.slice(0, count).map((p, i) => (i < same ? maker : d.random.pick(makers))(d, p))
  const asked = known ? statements[d.random.below(same)]! : maker(d, people[count]!)
  d.random.shuffle(statements)
  return exchange(
    known ? "reading" : "unknown",
    ask(d, statements.map(({ sentence }) => sentence).join(" "), asked.question),
    known ? asked.answer : "I don't know.",
  )
}

export const readingFamilies: readonly Family[] = [
  { name: "reading", weight: 22, scored: true, make: (d) => reading(d, true) },
  { name: "unknown", weight: 4, scored: true, make: (d) => reading(d, false) },
]
