/**
 * @module What is said of a subject, and asked: a relation, one of its sentences, one of its questions, its value.
 */
import type { Draw } from "./document.ts"
import { barePlace, composedIndex } from "./wording.ts"

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

/** Which of a relation's wordings to take, by place. */
export interface Wording {
  readonly sentence: number
  readonly question: number
}

export const openers = [
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

const bare = (count: number): string[] => new Array<string>(count).fill("")
const sentenceFrames = [...bare(16), ...openers, ...asides.map((aside) => `, ${aside},`)]
const questionFrames = [...bare(12), ...requests]

/**
 * A new statement about a subject, in a wording of the draw's split.
 * @param wording the words to say it in; without them any, now and then in a frame
 */
export function statement(d: Draw, relation: Relation, subject: string, wording?: Wording): Statement {
  const { sentences, questions, answer } = relation.make(d, subject)
  if (wording)
    return { subject, sentence: sentences[wording.sentence]!, question: questions[wording.question]!, answer }
  const [place, frame] = sentenceWording(d, relation, subject, sentences)
  const [asked, request] = composedIndex(d, `${relation.name}?`, questions.length, questionFrames)
  const sentence = sentences[place]!
  const framed = frame.startsWith(",")
    ? sentence.replace(subject, `${subject}${frame}`)
    : `${frame} ${sentence}`.trimStart()
  return { subject, sentence: framed, question: `${request} ${questions[asked]}`.trimStart(), answer }
}

/** A sentence and its frame; an aside comes only where the sentence begins with its subject. */
function sentenceWording(d: Draw, { name }: Relation, subject: string, sentences: readonly string[]) {
  for (;;) {
    const wording = composedIndex(d, `${name}.`, sentences.length, sentenceFrames)
    if (!wording[1].startsWith(",") || sentences[wording[0]]!.startsWith(`${subject} `)) return wording
  }
}

/** Wordings of a relation without a frame: to say several things in the same words. */
export function plainWording(d: Draw, relation: Relation): Wording {
  const { sentences, questions } = relation.make(d, "")
  return {
    sentence: barePlace(d, `${relation.name}.`, sentences.length),
    question: barePlace(d, `${relation.name}?`, questions.length),
  }
}
