/**
 * @module What is said of a subject, and asked: a relation, one of its sentences, one of its questions, its value.
 */
import { type Draw, template } from "./document.ts"

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
