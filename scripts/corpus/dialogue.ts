/**
 * @module Talk of several turns, and what is said to a bare sentence that asks for nothing.
 */
import { type CorpusDocument, conversation, type Draw, type Family, type Turn, tasks, template } from "./document.ts"
import { count, person, town } from "./names.ts"
import { plainSentence } from "./rewriting.ts"
import { foods, items, places } from "./words.ts"

function greeting(d: Draw, name: string): Turn {
  const hello = template(d, [
    `Hello, I am ${name}.`,
    `Hi! My name is ${name}.`,
    `Good day. I am called ${name}.`,
    `${name} is my name. Hello!`,
    `Hey! I am ${name}.`,
    `Hello, ${name} here.`,
    `Hey, my name is ${name}.`,
    `Hey, ${name} here.`,
  ])
  return [hello, `Hello ${name}, how can I help?`]
}

/** Something told, and the question that asks it back. */
function told(d: Draw): readonly [tell: Turn, recall: Turn] {
  const { random } = d
  const food = random.pick(foods)
  const place = random.pick(places)
  const home = town(d)
  const friend = person(d)
  const goods = `${count(d)} ${random.pick(items)}`
  return random.pick<() => readonly [Turn, Turn]>([
    () => [
      [template(d, [`I like ${food}.`, `I want ${food}.`, `I eat ${food}.`]), `I am glad that you like ${food}.`],
      [template(d, ["What do I like?", "Which food do I like?", "What food do I like?"]), `You like ${food}.`],
    ],
    () => [
      [
        template(d, [`I am going to the ${place}.`, `I go to the ${place}.`, `I went to the ${place}.`]),
        `Have a good time at the ${place}.`,
      ],
      [template(d, ["Where am I?", "Which place am I at?", "Where am I now?"]), `You are at the ${place}.`],
    ],
    () => [
      [
        template(d, [`I live in ${home}.`, `My home is in ${home}.`, `I moved to ${home}.`, `My house is in ${home}.`]),
        `I hope that you like ${home}.`,
      ],
      [template(d, ["Where do I live?", "Which town am I from?", "In which town do I live?"]), `You live in ${home}.`],
    ],
    () => [
      [
        template(d, [`My friend is ${friend}.`, `I know ${friend}.`, `I have a friend called ${friend}.`]),
        `I hope that ${friend} is well.`,
      ],
      [template(d, ["Who is my friend?", "Who do I know?", "Tell me who my friend is."]), `Your friend is ${friend}.`],
    ],
    () => [
      [template(d, [`I have ${goods}.`, `I bought ${goods}.`, `I own ${goods}.`]), `So many! ${goods}.`],
      [template(d, ["What do I have?", "What did I buy?", "Tell me what I have."]), `You have ${goods}.`],
    ],
  ])()
}

/** The last turn always asks for something that was said turns before. */
function dialogue(d: Draw): CorpusDocument {
  const name = person(d)
  const asked: Turn = [template(d, ["What is my name?", "Who am I?", "Tell me my name."]), `Your name is ${name}.`]
  const turns: Turn[] = [greeting(d, name)]
  const recalls: Turn[] = [asked]
  for (let left = 1 + d.random.below(2); left > 0; left--) {
    const [tell, recall] = told(d)
    if (turns.some(([said]) => said.split(" ")[1] === tell[0].split(" ")[1])) continue
    turns.push(tell)
    recalls.push(recall)
  }
  if (d.random.next() < 0.3) turns.push(["Thank you.", `You are welcome, ${name}.`])
  const order = d.random.shuffle(recalls)
  turns.push(...(d.split === "heldout" ? order.slice(0, 1) : order))
  return conversation("dialogue", turns)
}

/** Nothing is asked for: it is noted in plain words. */
const bare = (d: Draw): CorpusDocument =>
  tasks("bare", d, 2, () => [plainSentence(d), "I see. What would you like to know?"])

export const dialogueFamilies: readonly Family[] = [
  { name: "dialogue", weight: 5, scored: true, make: dialogue },
  { name: "bare", weight: 1.5, scored: false, make: bare },
]
