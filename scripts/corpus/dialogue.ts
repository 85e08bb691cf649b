/**
 * @module Talk of several turns, and what is said to a bare sentence that asks for nothing.
 */
import { type CorpusDocument, conversation, type Draw, type Family, type Turn, tasks } from "./document.ts"
import { drawerTurns } from "./forms.ts"
import { count, person, town } from "./names.ts"
import { plainSentence } from "./rewriting.ts"
import { phrased } from "./wording.ts"
import { foods, items, places } from "./words.ts"

function greeting(d: Draw, name: string): Turn {
  const hello = phrased(d, "hello", [
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

const TOPICS = [0, 1, 2, 3, 4]

/** Something told, and the question that asks it back. @param topic one of {@link TOPICS} */
function told(d: Draw, topic: number): readonly [tell: Turn, recall: Turn] {
  const { random } = d
  const food = random.pick(foods)
  const place = random.pick(places)
  const home = town(d)
  const friend = person(d)
  const goods = `${count(d)} ${random.pick(items)}`
  const topics: readonly (() => readonly [Turn, Turn])[] = [
    () => [
      [
        phrased(d, "liked", [`I like ${food}.`, `I want ${food}.`, `I eat ${food}.`]),
        `I am glad that you like ${food}.`,
      ],
      [phrased(d, "liked?", ["What do I like?", "Which food do I like?", "What food do I like?"]), `You like ${food}.`],
    ],
    () => [
      [
        phrased(d, "going", [`I am going to the ${place}.`, `I go to the ${place}.`, `I went to the ${place}.`]),
        `Have a good time at the ${place}.`,
      ],
      [phrased(d, "going?", ["Where am I?", "Which place am I at?", "Where am I now?"]), `You are at the ${place}.`],
    ],
    () => [
      [
        phrased(d, "living", [
          `I live in ${home}.`,
          `My home is in ${home}.`,
          `I moved to ${home}.`,
          `My house is in ${home}.`,
        ]),
        `I hope that you like ${home}.`,
      ],
      [
        phrased(d, "living?", ["Where do I live?", "Which town am I from?", "In which town do I live?"]),
        `You live in ${home}.`,
      ],
    ],
    () => [
      [
        phrased(d, "friend", [`My friend is ${friend}.`, `I know ${friend}.`, `I have a friend called ${friend}.`]),
        `I hope that ${friend} is well.`,
      ],
      [
        phrased(d, "friend?", ["Who is my friend?", "Who do I know?", "Tell me who my friend is."]),
        `Your friend is ${friend}.`,
      ],
    ],
    () => [
      [phrased(d, "goods", [`I have ${goods}.`, `I bought ${goods}.`, `I own ${goods}.`]), `So many! ${goods}.`],
      [phrased(d, "goods?", ["What do I have?", "What did I buy?", "Tell me what I have."]), `You have ${goods}.`],
    ],
  ]
  return topics[topic]!()
}

/** The last turn always asks for something that was said turns before. */
function dialogue(d: Draw): CorpusDocument {
  const name = person(d)
  const asked: Turn = [
    phrased(d, "name?", ["What is my name?", "Who am I?", "Tell me my name."]),
    `Your name is ${name}.`,
  ]
  const turns: Turn[] = [greeting(d, name)]
  const recalls: Turn[] = [asked]
  for (const topic of d.random.shuffle([...TOPICS]).slice(0, 1 + d.random.below(2))) {
    const [tell, recall] = told(d, topic)
    turns.push(tell)
    recalls.push(recall)
  }
  if (d.random.next() < 0.3) turns.push(["Thank you.", `You are welcome, ${name}.`])
  const order = d.random.shuffle(recalls)
  turns.push(...(d.split === "heldout" ? order.slice(0, 1) : order))
  return conversation("dialogue", turns)
}

/** Nothing is asked for: it is noted in plain words, whatever form a system message would have asked for. */
const bare = (d: Draw): CorpusDocument =>
  tasks("bare", d, 2, () => {
    const said = d.random.next() < 0.5 ? plainSentence(d) : drawerTurns(d)[0]![0]
    return [said, "I see. What would you like to know?"]
  })

export const dialogueFamilies: readonly Family[] = [
  { name: "dialogue", weight: 5, scored: true, make: dialogue },
  { name: "bare", weight: 3, scored: false, make: bare },
]
