/**
 * @module Plain text and talk: short stories of a few sentences, and dialogues of several turns.
 */
import { type CorpusDocument, type CorpusMessage, type Draw, type Family, template } from "./document.ts"
import { person, town } from "./names.ts"
import { adjectives, colourNames, days, foods, places, things, verbs } from "./words.ts"

function story(d: Draw): CorpusDocument {
  const { random: r } = d
  const hero = person(d)
  const friend = person(d)
  const home = town(d)
  const place = r.pick(places)
  const thing = r.pick(things)
  const look = r.pick(adjectives)
  const food = r.pick(foods)
  const opening = template(d, [
    `One ${r.pick(days)}, ${hero} went to the ${place} in ${home}.`,
    `${hero} lived in ${home}, near the ${place}.`,
    `In ${home} there was a ${look} ${place}. ${hero} liked it.`,
    `${hero} and ${friend} walked through ${home}.`,
    `It was ${r.pick(days)}. ${hero} was at home in ${home}.`,
    `The ${place} in ${home} was ${look} that day. ${hero} was there.`,
    `${hero} and ${friend} met one day near the ${place} in ${home}.`,
    `It was a ${r.pick(adjectives)} day in ${home}. ${hero} was at the ${place}.`,
  ])
  const middle = template(d, [
    `There ${hero} ${r.pick(verbs)} a ${look} ${thing}.`,
    `${hero} saw a ${r.pick(colourNames)} ${thing} and ${r.pick(verbs)} it.`,
    `"Look, a ${thing}!" said ${hero}. ${friend} came to see it.`,
    `${friend} ${r.pick(verbs)} the ${thing} for ${hero}.`,
    `"Where is the ${thing}?" asked ${hero}. It was in the ${place}.`,
    `There was a ${thing}. It was very ${look}.`,
    `They saw a ${look} ${thing}, and ${friend} ${r.pick(verbs)} it.`,
    `A ${thing} was there. It was ${look}.`,
  ])
  const end = template(d, [
    `Then they ate ${food} together.`,
    `After that ${hero} went home to eat ${food}.`,
    `${friend} was ${r.pick(adjectives)}, and so was ${hero}.`,
    `"Thank you, ${friend}," said ${hero}.`,
    `In the evening they went home.`,
    `${hero} told ${friend} a story about the ${thing}.`,
    `After that they were ${r.pick(adjectives)}.`,
    `In the evening ${hero} told ${friend} about the ${thing}.`,
  ])
  return { kind: "story", text: `${opening} ${middle} ${end}` }
}

function dialogue(d: Draw): CorpusDocument {
  const name = person(d)
  const food = d.random.pick(foods)
  const place = d.random.pick(places)
  const turns: CorpusMessage[] = [
    {
      role: "user",
      content: template(d, [
        `Hello, I am ${name}.`,
        `Hi! My name is ${name}.`,
        `Good day. I am called ${name}.`,
        `${name} is my name. Hello!`,
        `Hey! I am ${name}.`,
        `Hello, ${name} here.`,
        `Hey, my name is ${name}.`,
        `Hey, ${name} here.`,
      ]),
    },
    { role: "assistant", content: `Hello ${name}, how can I help?` },
  ]
  const more: readonly (readonly [string, string])[] = [
    [`I like ${food}.`, `I am glad that you like ${food}.`],
    [`I am going to the ${place}.`, `Have a good time at the ${place}.`],
    [`What is my name?`, `Your name is ${name}.`],
    [`Thank you.`, `You are welcome, ${name}.`],
  ]
  for (const [question, answer] of d.random.shuffle([...more]).slice(0, 1 + d.random.below(3))) {
    turns.push({ role: "user", content: question }, { role: "assistant", content: answer })
  }
  return { kind: "dialogue", messages: turns }
}

export const storyFamilies: readonly Family[] = [
  { name: "story", weight: 8, scored: false, make: story },
  { name: "dialogue", weight: 4, scored: false, make: dialogue },
]
