/**
 * @module What can be said of invented towns, and asked.
 */
import type { Draw } from "./document.ts"
import { person, river, splitOf } from "./names.ts"
import type { Relation } from "./statements.ts"
import { items } from "./words.ts"

/** A year of the draw's split. */
function year(d: Draw): string {
  for (;;) {
    const found = String(1100 + d.random.below(900))
    if (splitOf(`year ${found}`) === d.split) return found
  }
}

/** As of people. */
export const townRelations: readonly Relation[] = [
  {
    name: "river",
    make(d, t) {
      const r = river(d)
      return {
        sentences: [
          `${t} stands at the river ${r}.`,
          `Through ${t} flows the ${r}.`,
          `People in ${t} fish in the ${r}.`,
          `The bridge in ${t} goes over the ${r}.`,
          `In ${t} the river is called ${r}.`,
          `${t} has a river called ${r}.`,
          `${r} is the river of ${t}.`,
          `The ${r} flows by ${t}.`,
          `Boats come to ${t} on the ${r}.`,
          `The river ${r} flows to ${t}.`,
          `The river of ${t} is the ${r}.`,
          `${t} lies on the river ${r}.`,
          `The river ${r} flows through ${t}.`,
          `The river at ${t} is the ${r}.`,
          `${t} was built by the river ${r}.`,
          `The river of ${t} is called ${r}.`,
          `The river at ${t} is called ${r}.`,
        ],
        questions: [
          `Which river flows through ${t}?`,
          `What is the river at ${t} called?`,
          `Tell me the river of ${t}.`,
          `What river does ${t} have?`,
          `What is the name of the river at ${t}?`,
          `Say which river is at ${t}.`,
          `By which river was ${t} built?`,
          `Tell me the river at ${t}.`,
          `Which river is at ${t}?`,
          `What is the river of ${t} called?`,
          `On which river does ${t} lie?`,
          `Name the river of ${t}.`,
          `Name the river at ${t}.`,
        ],
        answer: r,
      }
    },
  },
  {
    name: "year",
    make(d, t) {
      const y = year(d)
      return {
        sentences: [
          `${t} began in ${y}.`,
          `The year of ${t} is ${y}.`,
          `${t} was built in ${y}.`,
          `Since ${y} there is a town called ${t}.`,
          `${t} is there since ${y}.`,
          `The first house in ${t} is from ${y}.`,
          `They founded ${t} in ${y}.`,
          `${t} was a new town in ${y}.`,
          `In ${y} ${t} was founded.`,
          `${y} is the year of ${t}.`,
          `The town of ${t} was built in ${y}.`,
          `${t} was founded in ${y}.`,
          `The town of ${t} began in ${y}.`,
          `People built ${t} in ${y}.`,
          `${t} is a town from ${y}.`,
          `In ${y} people founded ${t}.`,
          `In ${y} people built the town of ${t}.`,
        ],
        questions: [
          `When did ${t} begin?`,
          `When was ${t} built?`,
          `Which year is ${t} from?`,
          `Tell me the year of ${t}.`,
          `Since when is there ${t}?`,
          `Name the year of ${t}.`,
          `In which year was ${t} founded?`,
          `Tell me the year that ${t} is from.`,
          `When was ${t} founded?`,
          `In which year did ${t} begin?`,
          `What year is ${t} from?`,
          `In what year was ${t} founded?`,
          `In which year was ${t} built?`,
          `Name the year that ${t} is from.`,
        ],
        answer: y,
      }
    },
  },
  {
    name: "mayor",
    make(d, t) {
      const mayor = person(d)
      return {
        sentences: [
          `${t} calls ${mayor} its mayor.`,
          `In ${t} the mayor is ${mayor}.`,
          `The new mayor of ${t} is ${mayor}.`,
          `The town of ${t} has ${mayor} as mayor.`,
          `The mayor in ${t} is called ${mayor}.`,
          `As mayor of ${t}, ${mayor} has much to do.`,
          `${t} wants ${mayor} to stay mayor.`,
          `For years ${mayor} has been mayor of ${t}.`,
          `The people of ${t} like their mayor ${mayor}.`,
          `${mayor} is now the mayor of ${t}.`,
          `The mayor of ${t} is ${mayor}.`,
          `${mayor} is the mayor of ${t}.`,
          `${t} has a mayor called ${mayor}.`,
          `People in ${t} call ${mayor} their mayor.`,
          `${mayor} became mayor of ${t}.`,
          `${mayor} is now mayor of ${t}.`,
        ],
        questions: [
          `Who is mayor in ${t}?`,
          `What is the name of the mayor of ${t}?`,
          `Say who the mayor of ${t} is.`,
          `Who is now mayor of ${t}?`,
          `Tell me the name of the mayor of ${t}.`,
          `Name the mayor in ${t}.`,
          `Who is the mayor of ${t}?`,
          `What is the mayor of ${t} called?`,
          `Name the mayor of ${t}.`,
          `Which mayor does ${t} have?`,
          `Tell me who the mayor of ${t} is.`,
          `Tell me the mayor of ${t}.`,
        ],
        answer: mayor,
      }
    },
  },
  {
    name: "trade",
    make(d, t) {
      const item = d.random.pick(items)
      return {
        sentences: [
          `The shops of ${t} sell ${item}.`,
          `You can find good ${item} in ${t}.`,
          `All know the ${item} of ${t}.`,
          `${t} makes ${item}.`,
          `Go to ${t} for ${item}.`,
          `The best ${item} come from ${t}.`,
          `In ${t} they make ${item}.`,
          `People go to ${t} for its ${item}.`,
          `The people of ${t} sell ${item}.`,
          `${t} is the town of the ${item}.`,
          `In ${t} people sell ${item}.`,
          `${t} is known for its ${item}.`,
          `People in ${t} make ${item}.`,
          `The market of ${t} sells ${item}.`,
          `${t} sells ${item}.`,
          `The ${item} of ${t} are known to all.`,
          `People in ${t} sell ${item}.`,
        ],
        questions: [
          `What can I find in ${t}?`,
          `Which goods does ${t} sell?`,
          `What are the goods of ${t}?`,
          `What is made in ${t}?`,
          `Say what ${t} is known for.`,
          `What does the market of ${t} sell?`,
          `Name the goods of ${t}.`,
          `Tell me what people in ${t} make.`,
          `What is ${t} known for?`,
          `What does ${t} sell?`,
          `What do people in ${t} make?`,
          `Name what ${t} is known for.`,
          `Tell me what ${t} sells.`,
          `Tell me what ${t} is known for.`,
        ],
        answer: item,
      }
    },
  },
]
