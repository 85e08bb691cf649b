/**
 * @module What can be said of invented people and towns, and asked: a relation, its sentences, its questions, its value.
 */
import { type Draw, template } from "./document.ts"
import { count, person, river, splitOf, town } from "./names.ts"
import { animalNames, colourNames, foods, items, jobs, places } from "./words.ts"

/** One thing said of one subject. */
export interface Statement {
  readonly subject: string
  readonly sentence: string
  readonly question: string
  readonly answer: string
}

/** A relation, and its maker of a new statement about a subject. */
export interface Relation {
  readonly name: string
  make(draw: Draw, subject: string): Statement
}

/** Every word of a held-out template (the last ones of each list) stands in templates of training too. */
export const peopleRelations: readonly Relation[] = [
  {
    name: "job",
    make(d, p) {
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
  },
  {
    name: "home",
    make(d, p) {
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
          `${p} found a home in ${t}.`,
          `The house of ${p} is in ${t}.`,
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
  },
  {
    name: "goods",
    make(d, p) {
      const n = count(d)
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
        answer: String(n),
      }
    },
  },
  {
    name: "age",
    make(d, p) {
      const n = count(d)
      return {
        subject: p,
        sentence: template(d, [
          `${p} is ${n} years old.`,
          `The age of ${p} is ${n}.`,
          `${p} is now ${n} years old.`,
          `${p} turned ${n} this year.`,
          `At the age of ${n}, ${p} is happy.`,
          `This year ${p} turned ${n}.`,
        ]),
        question: template(d, [
          `How old is ${p}?`,
          `What is the age of ${p}?`,
          `Tell me the age of ${p}.`,
          `What is ${p}'s age?`,
          `How old is ${p} now?`,
          `Name the age of ${p}.`,
        ]),
        answer: String(n),
      }
    },
  },
  {
    name: "coat",
    make(d, p) {
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
  },
  {
    name: "friend",
    make(d, p) {
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
          `Which friend does ${p} have?`,
          `Who is ${p}'s friend?`,
          `Tell me the friend of ${p}.`,
          `Name the friend of ${p}.`,
        ]),
        answer: friend,
      }
    },
  },
  {
    name: "place",
    make(d, p) {
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
          `Tell me where ${p} is.`,
        ]),
        answer: place,
      }
    },
  },
  {
    name: "food",
    make(d, p) {
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
  },
  {
    name: "animal",
    make(d, p) {
      const animal = d.random.pick(animalNames)
      const name = person(d)
      return {
        subject: p,
        sentence: template(d, [
          `${p} has a ${animal} called ${name}.`,
          `The ${animal} of ${p} is called ${name}.`,
          `${name} is the ${animal} of ${p}.`,
          `${p} keeps a ${animal} called ${name}.`,
          `${p} owns a ${animal}, and it is called ${name}.`,
          `${p} got a ${animal} called ${name}.`,
        ]),
        question: template(d, [
          `What is the ${animal} of ${p} called?`,
          `What is ${p}'s ${animal} called?`,
          `Name the ${animal} of ${p}.`,
          `Who is ${p}'s ${animal}?`,
          `Tell me the name of ${p}'s ${animal}.`,
          `What is the name of ${p}'s ${animal}?`,
        ]),
        answer: name,
      }
    },
  },
]

/** A year of the draw's split. */
function year(d: Draw): string {
  for (;;) {
    const found = String(1100 + d.random.below(900))
    if (splitOf(`year ${found}`) === d.split) return found
  }
}

/** The same of towns. */
export const townRelations: readonly Relation[] = [
  {
    name: "river",
    make(d, t) {
      const r = river(d)
      return {
        subject: t,
        sentence: template(d, [
          `${t} lies on the river ${r}.`,
          `The river ${r} flows through ${t}.`,
          `The river at ${t} is the ${r}.`,
          `${t} was built by the river ${r}.`,
          `The river of ${t} is called ${r}.`,
          `The river at ${t} is called ${r}.`,
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
  },
  {
    name: "year",
    make(d, t) {
      const y = year(d)
      return {
        subject: t,
        sentence: template(d, [
          `${t} was founded in ${y}.`,
          `The town of ${t} began in ${y}.`,
          `People built ${t} in ${y}.`,
          `${t} is a town from ${y}.`,
          `In ${y} people founded ${t}.`,
          `In ${y} people built the town of ${t}.`,
        ]),
        question: template(d, [
          `When was ${t} founded?`,
          `In which year did ${t} begin?`,
          `What year is ${t} from?`,
          `In what year was ${t} founded?`,
          `In which year was ${t} built?`,
          `Name the year that ${t} is from.`,
        ]),
        answer: y,
      }
    },
  },
  {
    name: "mayor",
    make(d, t) {
      const mayor = person(d)
      return {
        subject: t,
        sentence: template(d, [
          `The mayor of ${t} is ${mayor}.`,
          `${mayor} is the mayor of ${t}.`,
          `${t} has a mayor called ${mayor}.`,
          `People in ${t} call ${mayor} their mayor.`,
          `${mayor} became mayor of ${t}.`,
          `${mayor} is now mayor of ${t}.`,
        ]),
        question: template(d, [
          `Who is the mayor of ${t}?`,
          `What is the mayor of ${t} called?`,
          `Name the mayor of ${t}.`,
          `Which mayor does ${t} have?`,
          `Tell me who the mayor of ${t} is.`,
          `Tell me the mayor of ${t}.`,
        ]),
        answer: mayor,
      }
    },
  },
  {
    name: "trade",
    make(d, t) {
      const item = d.random.pick(items)
      return {
        subject: t,
        sentence: template(d, [
          `${t} is known for its ${item}.`,
          `People in ${t} make ${item}.`,
          `The market of ${t} sells ${item}.`,
          `${t} sells ${item}.`,
          `The ${item} of ${t} are known to all.`,
          `People in ${t} sell ${item}.`,
        ]),
        question: template(d, [
          `What is ${t} known for?`,
          `What does ${t} sell?`,
          `What do people in ${t} make?`,
          `Name what ${t} is known for.`,
          `Tell me what ${t} sells.`,
          `Tell me what ${t} is known for.`,
        ]),
        answer: item,
      }
    },
  },
]
