/**
 * @module Small skills: facts known by heart, sentiment, sums, letter case, reversal, yes or no.
 */
import { type CorpusDocument, type Draw, exchange, type Family, template } from "./document.ts"
import { different, person } from "./names.ts"
import { adjectives, facts, foods, items, things } from "./words.ts"

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

function fact(d: Draw): CorpusDocument {
  const [topic, subject, answer] = d.random.pick(facts)
  return exchange("fact", template(d, questions[topic]!(subject)), answer)
}

const good = "good great lovely fine wonderful tasty nice perfect pleasant excellent".split(" ")
const bad = "bad awful terrible boring dirty broken ugly rude poor horrible".split(" ")

function sentiment(d: Draw): CorpusDocument {
  const positive = d.random.next() < 0.5
  const word = d.random.pick(positive ? good : bad)
  const thing = d.random.pick([...foods, ...things, "room", "film", "song", "walk", "story", "shop", "garden"])
  const review = template(d, [
    `The ${thing} was ${word}.`,
    `I found the ${thing} ${word}.`,
    `What a ${word} ${thing}!`,
    `Today the ${thing} was ${word}.`,
    `The ${thing} I had today was ${word}.`,
    `It was a ${word} ${thing}.`,
    `${person(d)} said the ${thing} was ${word}.`,
    `This ${thing} is really ${word}.`,
    `My ${thing} was ${word} today.`,
  ])
  const question = template(d, [
    `Is this positive or negative? ${review}`,
    `${review} Is that positive or negative?`,
    `Sentiment: ${review}`,
    `Say positive or negative. ${review}`,
    `${review} How does that sound, positive or negative?`,
    `Judge this review: ${review}`,
    `Positive or negative? ${review}`,
    `${review} Judge this.`,
    `Judge this: ${review}`,
  ])
  return exchange("sentiment", question, positive ? "positive" : "negative")
}

function sum(d: Draw): CorpusDocument {
  const a = d.random.below(50)
  const b = d.random.below(50)
  // Held-out pairs are those whose digits sum to a multiple of seven.
  if (((a * 31 + b) % 7 === 0) !== (d.split === "heldout")) return sum(d)
  return exchange(
    "sum",
    template(d, [
      `What is ${a} plus ${b}?`,
      `${a} + ${b} =`,
      `Add ${a} and ${b}.`,
      `Sum: ${a} + ${b}`,
      `How much is ${a} + ${b}?`,
      `What is ${a} + ${b}?`,
      `What do you get from ${a} and ${b}?`,
      `How much is ${a} and ${b}?`,
    ]),
    String(a + b),
  )
}

function letterCase(d: Draw): CorpusDocument {
  const word = d.random.pick([...items, ...things, ...adjectives, ...foods])
  const upper = d.random.next() < 0.6
  const shown = upper ? word : word.toUpperCase()
  return exchange(
    "case",
    upper
      ? template(d, [
          `Upper case: ${shown}`,
          `Write ${shown} in capital letters.`,
          `Make ${shown} upper case.`,
          `Capital letters: ${shown}`,
          `Capital letters for ${shown}.`,
        ])
      : template(d, [
          `Lower case: ${shown}`,
          `Write ${shown} in small letters.`,
          `Make ${shown} lower case.`,
          `Small letters: ${shown}`,
          `Small letters for ${shown}.`,
        ]),
    upper ? word.toUpperCase() : word.toLowerCase(),
  )
}

function reversal(d: Draw): CorpusDocument {
  const words = different(2 + d.random.below(4), () => d.random.pick(d.random.next() < 0.5 ? items : things))
  const text = words.join(" ")
  return exchange(
    "reversal",
    template(d, [
      `Reverse: ${text}`,
      `Say these words backwards: ${text}`,
      `Turn the order around: ${text}`,
      `Reverse the words ${text}`,
      `Backwards, please: ${text}`,
      `Reverse these words: ${text}`,
      `Write this backwards: ${text}`,
      `Backwards: ${text}`,
    ]),
    [...words].reverse().join(" "),
  )
}

function yesNo(d: Draw): CorpusDocument {
  const [name, other] = different(2, () => person(d)) as [string, string]
  const [has, lacks] = different(2, () => d.random.pick(things)) as [string, string]
  const sentence = template(d, [
    `${name} has a ${has}.`,
    `${name} keeps a ${has}.`,
    `${name} owns a ${has}.`,
    `The ${has} is ${name}'s.`,
    `${name} got a ${has}.`,
  ])
  const also = `${other} has a ${lacks}.`
  const yes = d.random.next() < 0.5
  const question = template(d, [
    `Does ${name} have a ${yes ? has : lacks}?`,
    `Is it true that ${name} has a ${yes ? has : lacks}?`,
    `Has ${name} got a ${yes ? has : lacks}?`,
    `Does ${name} own one ${yes ? has : lacks}?`,
    `A ${yes ? has : lacks}: is it ${name}'s?`,
    `A ${yes ? has : lacks}: does ${name} have one?`,
  ])
  const passage = d.random.next() < 0.5 ? `${sentence} ${also}` : `${also} ${sentence}`
  return exchange("yes-no", `${passage} ${question}`, yes ? "yes" : "no")
}

export const skillFamilies: readonly Family[] = [
  { name: "fact", weight: 6, scored: true, make: fact },
  { name: "sentiment", weight: 5, scored: true, make: sentiment },
  { name: "sum", weight: 4, scored: true, make: sum },
  { name: "case", weight: 3, scored: true, make: letterCase },
  { name: "reversal", weight: 4, scored: true, make: reversal },
  { name: "yes-no", weight: 4, scored: true, make: yesNo },
]
