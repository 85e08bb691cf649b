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

/** What a relation says of a subject, and asks, in every wording it has. */
export interface Said {
  readonly sentences: readonly string[]
  readonly questions: readonly string[]
  readonly answer: string
}

/** A relation, and its maker of a new value for a subject. */
export interface Relation {
  readonly name: string
  make(draw: Draw, subject: string): Said
}

/** Which of a relation's wordings to take, each a number from 0 up to 1. */
export interface Wording {
  readonly sentence: number
  readonly question: number
}

const openers = [
  "Look:",
  "They say:",
  "I know this:",
  "As we know:",
  "Here is some news:",
  "So it is:",
  "Look and listen:",
  "I tell you:",
  "All people know:",
  "Now listen:",
  "People say:",
]
const asides = ["they say", "as we know", "my friend", "as people say", "so they say", "as all know", "as they say"]
const requests = [
  "Tell me:",
  "I want to know:",
  "Now the question:",
  "Here is what I want to know:",
  "Please help me.",
  "One question:",
  "Do you know this?",
  "Think well.",
  "Tell me this:",
  "Please tell me:",
]

/** How often a sentence gets an opener, an aside, and a question a request. */
const FRAMED = 0.12

/**
 * A new statement about a subject.
 * @param wording the words to say it in; without them any, now and then in a frame
 */
export function statement(d: Draw, relation: Relation, subject: string, wording?: Wording): Statement {
  const { sentences, questions, answer } = relation.make(d, subject)
  const sentence = template(d, sentences, wording?.sentence)
  const question = template(d, questions, wording?.question)
  if (wording) return { subject, sentence, question, answer }
  const frame = d.random.next()
  const framed =
    frame < FRAMED
      ? `${template(d, openers)} ${sentence}`
      : frame < 2 * FRAMED && sentence.startsWith(`${subject} `)
        ? sentence.replace(subject, `${subject}, ${template(d, asides)},`)
        : sentence
  return {
    subject,
    sentence: framed,
    question: d.random.next() < FRAMED ? `${template(d, requests)} ${question}` : question,
    answer,
  }
}

/** Every word of a held-out template (the last ones of each list) stands in templates of training too. */
export const peopleRelations: readonly Relation[] = [
  {
    name: "job",
    make(d, p) {
      const job = d.random.pick(jobs)
      return {
        sentences: [
          `${p} earns money as a ${job}.`,
          `${p} is the new ${job}.`,
          `The ${job} here is ${p}.`,
          `${p} wants to stay a ${job}.`,
          `${p} learned to be a ${job}.`,
          `By day ${p} is a ${job}.`,
          `As a ${job}, ${p} has much to do.`,
          `${p} is a good ${job}.`,
          `Our ${job} is ${p}.`,
          `We know ${p} as a ${job}.`,
          `They call ${p} the ${job}.`,
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
        ],
        questions: [
          `What is the work of ${p}?`,
          `Tell me ${p}'s job.`,
          `Say what ${p} works as.`,
          `Which work does ${p} have?`,
          `Name ${p}'s job.`,
          `What kind of work does ${p} do?`,
          `Name the job of ${p}.`,
          `What is ${p}'s job?`,
          `What does ${p} work as?`,
          `What work does ${p} do?`,
          `Which job does ${p} have?`,
          `Name the work of ${p}.`,
          `What is the job of ${p}?`,
          `Tell me what ${p} works as.`,
          `Tell me the job of ${p}.`,
        ],
        answer: job,
      }
    },
  },
  {
    name: "home",
    make(d, p) {
      const t = town(d)
      return {
        sentences: [
          `${p} stays in ${t}.`,
          `The home town of ${p} is ${t}.`,
          `${p} is from ${t}.`,
          `${p} has long lived in ${t}.`,
          `${p} comes from ${t}.`,
          `In ${t} lives ${p}.`,
          `${p} has lived in ${t} for years.`,
          `${t} is where ${p} lives.`,
          `The family of ${p} lives in ${t}.`,
          `${p} built a house in ${t}.`,
          `In ${t} is the house of ${p}.`,
          `${t} is the town of ${p}.`,
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
        ],
        questions: [
          `What is the home town of ${p}?`,
          `Where is ${p} from?`,
          `Where does ${p} come from?`,
          `Tell me where ${p} lives.`,
          `Name the town where ${p} lives.`,
          `Which town is the home of ${p}?`,
          `Where is ${p}'s house?`,
          `In which town is the house of ${p}?`,
          `Tell me the town of ${p}.`,
          `Where does ${p} live?`,
          `In which town does ${p} live?`,
          `Which town is ${p} from?`,
          `Where is the home of ${p}?`,
          `Name the home town of ${p}.`,
          `In which town can I meet ${p}?`,
          `What town does ${p} live in?`,
          `Name the town of ${p}.`,
        ],
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
        sentences: [
          `${n} ${item} are ${p}'s.`,
          `${p} carries home ${n} ${item}.`,
          `${p} found ${n} ${item}.`,
          `${p} has ${n} ${item} in a bag.`,
          `${p} carries ${n} ${item}.`,
          `The ${n} ${item} here are ${p}'s.`,
          `There are ${n} ${item} for ${p}.`,
          `${p} made ${n} ${item}.`,
          `${p} shows us ${n} ${item}.`,
          `${p} took ${n} ${item} home.`,
          `${p} has got ${n} ${item}.`,
          `In the house of ${p} are ${n} ${item}.`,
          `${p} has ${n} ${item}.`,
          `${p} bought ${n} ${item}.`,
          `${p} owns ${n} ${item}.`,
          `There are ${n} ${item} in the house of ${p}.`,
          `${p} got ${n} ${item}.`,
          `In the bag of ${p} are ${n} ${item}.`,
          `${p} keeps ${n} ${item} at home.`,
          `${p} keeps ${n} ${item}.`,
        ],
        questions: [
          `What number of ${item} does ${p} have?`,
          `Give the number of ${item} of ${p}.`,
          `How many ${item} has ${p} got?`,
          `Of ${item}, how many does ${p} have?`,
          `Count ${p}'s ${item}.`,
          `What is the number of ${p}'s ${item}?`,
          `How many of the ${item} are ${p}'s?`,
          `Name the number of ${item} of ${p}.`,
          `Tell me the number of ${p}'s ${item}.`,
          `How many ${item} does ${p} have?`,
          `How many ${item} are ${p}'s?`,
          `Count the ${item} of ${p}.`,
          `What is the number of ${item} that ${p} has?`,
          `Tell me how many ${item} ${p} has.`,
          `How many ${item} does ${p} own?`,
          `Name the number of ${item} that ${p} has.`,
          `Say how many ${item} ${p} has.`,
        ],
        answer: String(n),
      }
    },
  },
  {
    name: "age",
    make(d, p) {
      const n = count(d)
      return {
        sentences: [
          `${p} has turned ${n}.`,
          `${n} is the age of ${p}.`,
          `${p} will stay ${n} years old until May.`,
          `At ${n}, ${p} is happy.`,
          `Now ${p} is ${n} years old.`,
          `In May ${p} turned ${n}.`,
          `${p} has lived for ${n} years.`,
          `The years of ${p} are ${n}.`,
          `${p} is happy to be ${n} years old.`,
          `${p} says: I am ${n} years old.`,
          `${p} became ${n} years old.`,
          `Today ${p} turned ${n}.`,
          `${p} is ${n} years old.`,
          `The age of ${p} is ${n}.`,
          `${p} is now ${n} years old.`,
          `${p} turned ${n} this year.`,
          `At the age of ${n}, ${p} is happy.`,
          `This year ${p} turned ${n}.`,
        ],
        questions: [
          `How many years old is ${p}?`,
          `Say how old ${p} is.`,
          `Tell me how old ${p} is.`,
          `How many years has ${p} lived?`,
          `Which age has ${p}?`,
          `Give the age of ${p}.`,
          `Name ${p}'s age.`,
          `How old is ${p}?`,
          `What is the age of ${p}?`,
          `Tell me the age of ${p}.`,
          `What is ${p}'s age?`,
          `How old is ${p} now?`,
          `Name the age of ${p}.`,
        ],
        answer: String(n),
      }
    },
  },
  {
    name: "coat",
    make(d, p) {
      const colour = d.random.pick(colourNames)
      return {
        sentences: [
          `The coat that ${p} wears is ${colour}.`,
          `${p} came in a ${colour} coat.`,
          `${p} put on the coat, and it is ${colour}.`,
          `${colour} is the colour of ${p}'s coat.`,
          `${p} made a ${colour} coat.`,
          `Look at the ${colour} coat of ${p}.`,
          `${p} found a ${colour} coat.`,
          `The colour of the coat of ${p} is ${colour}.`,
          `${p} is the one in the ${colour} coat.`,
          `${p} keeps a ${colour} coat at home.`,
          `${p} washed the ${colour} coat.`,
          `The coat of ${p} is all ${colour}.`,
          `${p} has a ${colour} coat.`,
          `${p} wears a ${colour} coat.`,
          `The coat of ${p} is ${colour}.`,
          `${p} likes the ${colour} coat.`,
          `${p} has a coat, and it is ${colour}.`,
          `${p} bought a ${colour} coat.`,
          `The ${colour} coat is ${p}'s.`,
          `${p} put on a ${colour} coat.`,
        ],
        questions: [
          `What colour is the coat of ${p}?`,
          `Of which colour is ${p}'s coat?`,
          `Which colour does the coat of ${p} have?`,
          `Say the colour of ${p}'s coat.`,
          `Which colour is ${p}'s coat?`,
          `${p}'s coat: what colour is it?`,
          `Name the colour of the coat of ${p}.`,
          `What colour is ${p}'s coat?`,
          `Which colour is the coat of ${p}?`,
          `What is the colour of ${p}'s coat?`,
          `Name the colour of ${p}'s coat.`,
          `Tell me the colour of ${p}'s coat.`,
        ],
        answer: colour,
      }
    },
  },
  {
    name: "friend",
    make(d, p) {
      const friend = person(d)
      return {
        sentences: [
          `${p} knows ${friend} well.`,
          `${p} goes to meet ${friend}.`,
          `The friend of ${p} is called ${friend}.`,
          `${p} and a friend, ${friend}, go for a walk.`,
          `${p} likes the friend ${friend}.`,
          `${p} came with a friend called ${friend}.`,
          `${p} made friends with ${friend}.`,
          `A good friend of ${p} is ${friend}.`,
          `${p} met ${friend} at school.`,
          `${p} calls ${friend} a good friend.`,
          `${p} sees ${friend} every day.`,
          `${p} walks to school with ${friend}.`,
          `${p} likes to visit ${friend}.`,
          `${p} is a friend of ${friend}.`,
          `${p} often visits ${friend}.`,
          `The best friend of ${p} is ${friend}.`,
          `${p} went to school with ${friend}.`,
          `${p} has a friend called ${friend}.`,
          `${p} likes to meet ${friend}.`,
          `${p} has letters from ${friend}.`,
          `${p} writes letters to ${friend}.`,
        ],
        questions: [
          `Whom does ${p} know?`,
          `Name a friend of ${p}.`,
          `Who is a friend of ${p}?`,
          `What is the friend of ${p} called?`,
          `What is the name of ${p}'s friend?`,
          `Tell me who ${p}'s friend is.`,
          `Say who is the friend of ${p}.`,
          `Tell me the name of ${p}'s friend.`,
          `Who is the friend of ${p}?`,
          `Which friend does ${p} have?`,
          `Who is ${p}'s friend?`,
          `Tell me the friend of ${p}.`,
          `Name the friend of ${p}.`,
        ],
        answer: friend,
      }
    },
  },
  {
    name: "place",
    make(d, p) {
      const place = d.random.pick(places)
      return {
        sentences: [
          `${p} stands at the ${place}.`,
          `${p} was seen at the ${place}.`,
          `At the ${place} you can see ${p}.`,
          `${p} came to the ${place}.`,
          `${p} sits at the ${place}.`,
          `Now ${p} is at the ${place}.`,
          `${p} sleeps near the ${place}.`,
          `${p} ran to the ${place}.`,
          `Look for ${p} at the ${place}.`,
          `${p} has been at the ${place} all day.`,
          `At the ${place} waits ${p}.`,
          `${p} walked to the ${place}.`,
          `${p} is at the ${place}.`,
          `${p} went to the ${place}.`,
          `${p} waits near the ${place}.`,
          `Today ${p} works at the ${place}.`,
          `You can find ${p} at the ${place}.`,
          `${p} put the bag down at the ${place}.`,
          `${p} can be found at the ${place}.`,
          `${p} walks to the ${place}.`,
        ],
        questions: [
          `Where can I find ${p}?`,
          `Where do you see ${p}?`,
          `At which place is ${p}?`,
          `Which place did ${p} go to?`,
          `Say where ${p} is.`,
          `In what place is ${p}?`,
          `Where can ${p} be found?`,
          `Name the place of ${p}.`,
          `Where is ${p}?`,
          `Which place is ${p} at?`,
          `At which place is ${p} now?`,
          `Where is ${p} now?`,
          `Name the place where ${p} is.`,
          `Tell me where ${p} is.`,
        ],
        answer: place,
      }
    },
  },
  {
    name: "food",
    make(d, p) {
      const food = d.random.pick(foods)
      return {
        sentences: [
          `${p} cooks ${food} today.`,
          `${p} took some ${food}.`,
          `${p} needs ${food}.`,
          `Bring ${food} to ${p}.`,
          `The food of ${p} is ${food}.`,
          `${p} ate all the ${food}.`,
          `${p} is glad to have ${food}.`,
          `${p} sells ${food}.`,
          `The ${food} is for ${p}.`,
          `${p} has ${food} on the plate.`,
          `For ${p} there is ${food}.`,
          `${p} came to eat ${food}.`,
          `${p} likes ${food}.`,
          `${p} eats ${food} every day.`,
          `${p} made some ${food}.`,
          `The favourite food of ${p} is ${food}.`,
          `${p} wants ${food}.`,
          `There is ${food} for ${p}.`,
          `${p} bought some ${food}.`,
          `${p} asked for ${food}.`,
        ],
        questions: [
          `What food does ${p} have?`,
          `Which food is ${p}'s?`,
          `What did ${p} eat?`,
          `Which food does ${p} want?`,
          `Say what ${p} eats.`,
          `What is the food of ${p}?`,
          `Tell me the food of ${p}.`,
          `Which food is for ${p}?`,
          `What does ${p} eat?`,
          `Which food does ${p} like?`,
          `Name the food of ${p}.`,
          `What food does ${p} like?`,
          `What food is for ${p}?`,
        ],
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
        sentences: [
          `${p} feeds a ${animal} called ${name}.`,
          `${p} loves a ${animal} called ${name}.`,
          `The name of ${p}'s ${animal} is ${name}.`,
          `${p} went out with the ${animal} called ${name}.`,
          `${p}'s ${animal} is called ${name}.`,
          `${p} calls the ${animal} ${name}.`,
          `With ${p} lives a ${animal} called ${name}.`,
          `${name} is a ${animal} of ${p}.`,
          `${p} found a ${animal} and called it ${name}.`,
          `${p} has a ${animal}, and it is called ${name}.`,
          `${name} is ${p}'s ${animal}.`,
          `${p} has a ${animal} called ${name}.`,
          `The ${animal} of ${p} is called ${name}.`,
          `${name} is the ${animal} of ${p}.`,
          `${p} keeps a ${animal} called ${name}.`,
          `${p} owns a ${animal}, and it is called ${name}.`,
          `${p} got a ${animal} called ${name}.`,
        ],
        questions: [
          `What is the name of the ${animal} of ${p}?`,
          `Which name has the ${animal} of ${p}?`,
          `How is the ${animal} of ${p} called?`,
          `What does ${p} call the ${animal}?`,
          `Say the name of ${p}'s ${animal}.`,
          `Tell me what ${p}'s ${animal} is called.`,
          `Name ${p}'s ${animal}.`,
          `What is the ${animal} of ${p} called?`,
          `What is ${p}'s ${animal} called?`,
          `Name the ${animal} of ${p}.`,
          `Who is ${p}'s ${animal}?`,
          `Tell me the name of ${p}'s ${animal}.`,
          `What is the name of ${p}'s ${animal}?`,
        ],
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
