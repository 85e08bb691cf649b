/**
 * @module Small skills: facts known by heart, sentiment, topics, letter case, yes or no.
 */
import { type CorpusDocument, conversation, type Draw, type Family, type Turn, tasks } from "./document.ts"
import { different, person } from "./names.ts"
import { asked, type Phrasing, phrased, phrasing } from "./wording.ts"
import {
  adjectives,
  animalNames,
  bad,
  colourNames,
  days,
  facts,
  foods,
  good,
  items,
  jobs,
  months,
  things,
} from "./words.ts"

const questions: Readonly<Record<string, (subject: string) => readonly string[]>> = {
  colour: (s) => [
    `What colour is ${s}?`,
    `Which colour does ${s} have?`,
    `Tell me the colour of ${s}.`,
    `Name the colour of ${s}.`,
    `The colour of ${s}?`,
  ],
  opposite: (s) => [
    `What is the opposite of ${s}?`,
    `Give the opposite of ${s}.`,
    `Which word is the opposite of ${s}?`,
    `The opposite of ${s}?`,
    `Tell me the opposite of ${s}.`,
    `Name the opposite of ${s}.`,
  ],
  sound: (s) => [
    `What does a ${s} do?`,
    `Which sound does a ${s} make?`,
    `What sound does the ${s} make?`,
    `How does a ${s} sound?`,
    `Name the sound of a ${s}.`,
  ],
  "month after": (s) => [
    `Which month comes after ${s}?`,
    `What month follows ${s}?`,
    `After ${s} comes which month?`,
    `The month after ${s}?`,
    `Name the month after ${s}.`,
  ],
  "day after": (s) => [
    `Which day comes after ${s}?`,
    `What day follows ${s}?`,
    `After ${s} comes which day?`,
    `The day after ${s}?`,
    `Name the day after ${s}.`,
  ],
}

/** A question about the fixed world. */
export function factTurn(d: Draw): Turn {
  const [topic, subject, answer] = d.random.pick(facts)
  return [phrased(d, `fact ${topic}`, questions[topic]!(subject)), answer]
}

const reviewed = (): string[] => [...foods, ...things, "room", "film", "song", "walk", "story", "shop", "garden"]

/** A review, judged. */
export function sentimentTurn(d: Draw): Turn {
  const positive = d.random.next() < 0.5
  const word = d.random.pick(positive ? good : bad)
  const thing = d.random.pick(reviewed())
  const review = phrased(d, "review", [
    `The ${thing} was ${word}.`,
    `I found the ${thing} ${word}.`,
    `What a ${word} ${thing}!`,
    `Today the ${thing} was ${word}.`,
    `The ${thing} I had today was ${word}.`,
    `It was a ${word} ${thing}.`,
    `We had a ${word} ${thing}.`,
    `The ${thing} is ${word}, they say.`,
    `How ${word} the ${thing} was!`,
    `That was a ${word} ${thing}.`,
    `I think the ${thing} is ${word}.`,
    `Such a ${word} ${thing}!`,
    `${person(d)} had a ${word} ${thing}.`,
    `The ${thing} was really ${word}.`,
    `${person(d)} said the ${thing} was ${word}.`,
    `This ${thing} is really ${word}.`,
    `My ${thing} was ${word} today.`,
  ])
  const question = phrased(d, "sentiment", [
    `Is this positive or negative? ${review}`,
    `${review} Is that positive or negative?`,
    `Sentiment: ${review}`,
    `Say positive or negative. ${review}`,
    `${review} How does that sound, positive or negative?`,
    `Review: ${review} Positive or negative?`,
    `${review} Positive or negative?`,
    `What is the sentiment? ${review}`,
    `${review} Is this review positive or negative?`,
    `Please judge. ${review}`,
    `${review} What is the sentiment of this?`,
    `${review} Please judge this review.`,
    `Judge it. ${review}`,
    `Judge this review: ${review}`,
    `Positive or negative? ${review}`,
    `${review} Judge this.`,
    `Judge this: ${review}`,
  ])
  return [question, positive ? "positive" : "negative"]
}

const topics = { food: foods, animal: animalNames, work: jobs, time: [...days, ...months], colour: colourNames }

function topicTurn(d: Draw): Turn {
  const topic = d.random.pick(Object.keys(topics) as (keyof typeof topics)[])
  const word = d.random.pick(topics[topic])
  const question = phrased(d, "topic", [
    `What is ${word}: food, animal, work, time or colour?`,
    `Food, animal, work, time or colour? ${word}`,
    `Topic: ${word}`,
    `Name the topic of ${word}.`,
    `Which topic is ${word}?`,
    `Which topic has ${word}?`,
    `Sort this: ${word}`,
    `What is the topic? ${word}`,
    `${word}. Which topic is this?`,
    `Name the topic: ${word}`,
    `Of which topic is ${word}?`,
    `${word}: food, animal, work, time or colour?`,
    `What is the topic of ${word}?`,
  ])
  return [question, topic]
}

/** One to three words in the other case. */
function caseTurn(d: Draw): Turn {
  const text = different(1 + d.random.below(3), () =>
    d.random.pick(d.random.pick([items, things, adjectives, foods])),
  ).join(" ")
  const upper = d.random.next() < 0.6
  const shown = upper ? text : text.toUpperCase()
  const question = upper
    ? asked(
        d,
        "upper",
        [
          "upper case",
          "capital letters",
          "write this in capital letters",
          "make this upper case",
          "say this in upper case",
          "put this in capital letters",
          "write in upper case",
          "give this in capital letters",
          "turn this into capital letters",
        ],
        shown,
      )
    : asked(
        d,
        "lower",
        [
          "lower case",
          "small letters",
          "write this in small letters",
          "make this lower case",
          "say this in lower case",
          "put this in small letters",
          "write in lower case",
          "give this in small letters",
          "turn this into small letters",
        ],
        shown,
      )
  return [question, upper ? text.toUpperCase() : text]
}

/** How many sentences say that somebody has something, and how many questions ask it. */
const [HAS, HAS_ASKED] = [12, 11]

/** Who has what, and questions about it of which half are true. */
function yesNo(d: Draw): CorpusDocument {
  const { random } = d
  const names = different(2 + random.below(2), () => person(d))
  const owned = different(names.length, () => random.pick(things))
  // As often as not all is said in the same words.
  const same = random.next() < 0.5
  const [said, asks] = [phrasing(d, "has", HAS), phrasing(d, "has?", HAS_ASKED)]
  const says = (): Phrasing => (same ? said : phrasing(d, "has", HAS))
  const sentences = names.map((name, i) =>
    says()([
      `${name} has a ${owned[i]}.`,
      `${name} keeps a ${owned[i]}.`,
      `${name} owns a ${owned[i]}.`,
      `The ${owned[i]} is ${name}'s.`,
      `${name} found a ${owned[i]}.`,
      `This is the ${owned[i]} of ${name}.`,
      `There is a ${owned[i]} for ${name}.`,
      `${name} bought a ${owned[i]}.`,
      `${name} carries a ${owned[i]}.`,
      `A ${owned[i]} is with ${name}.`,
      `${name} got a ${owned[i]}.`,
      `This ${owned[i]} is ${name}'s.`,
    ]),
  )
  const passage = random.shuffle(sentences).join(" ")
  const asked = random.shuffle(names.map((_, i) => i)).slice(0, d.split === "heldout" ? 1 : names.length)
  const turns = asked.map((who, i): Turn => {
    const yes = random.next() < 0.5
    const thing = owned[yes ? who : (who + 1 + random.below(names.length - 1)) % names.length]
    const name = names[who]
    const question = (same ? asks : phrasing(d, "has?", HAS_ASKED))([
      `Does ${name} have a ${thing}?`,
      `Is it true that ${name} has a ${thing}?`,
      `Has ${name} got a ${thing}?`,
      `Does ${name} own one ${thing}?`,
      `Yes or no: ${name} has a ${thing}.`,
      `Is there a ${thing} for ${name}?`,
      `Say yes or no. Does ${name} own a ${thing}?`,
      `Does ${name} keep a ${thing}?`,
      `Is a ${thing} with ${name}?`,
      `A ${thing}: is it ${name}'s?`,
      `A ${thing}: does ${name} have one?`,
    ])
    return [i === 0 ? `${passage} ${question}` : question, yes ? "yes" : "no"]
  })
  return conversation("yes-no", turns)
}

const family = (name: string, weight: number, most: number, turn: (d: Draw) => Turn, end = weight): Family => ({
  name,
  weight,
  end,
  scored: true,
  make: (d): CorpusDocument => tasks(name, d, most, () => turn(d)),
})

export const skillFamilies: readonly Family[] = [
  family("fact", 4, 4, factTurn),
  family("sentiment", 2, 3, sentimentTurn, 12),
  family("topic", 2, 4, topicTurn),
  family("case", 9, 6, caseTurn),
  { name: "yes-no", weight: 6, scored: true, make: yesNo },
]
