/**
 * @module What a finished base goes on with: its drills answer right, and stay in their split.
 */
import { expect, test } from "bun:test"
import { createHash } from "node:crypto"
import { corpusStream } from "../../../scripts/corpus/corpus.ts"
import type { CorpusDocument, CorpusMessage } from "../../../scripts/corpus/document.ts"
import { inventedStems, mingled, person, splitOf } from "../../../scripts/corpus/names.ts"
import { UNKNOWN } from "../../../scripts/corpus/reading.ts"
import { rng } from "../../../src/core/rng.ts"

function take(count: number, seed: number): CorpusDocument[] {
  const found: CorpusDocument[] = []
  for (const document of corpusStream(seed, "train", "again")) {
    found.push(document)
    if (found.length === count) break
  }
  return found
}

const documents = take(2500, 5)
const conversations = (kind: string): (readonly CorpusMessage[])[] =>
  documents.flatMap((each) => (each.kind === kind && "messages" in each ? [each.messages] : []))
/** Each question after the passage, with its answer. */
const asked = (messages: readonly CorpusMessage[]) =>
  messages.flatMap(({ role, content }, i) =>
    role === "user" && i > 0 ? [{ question: content, answer: messages[i + 1]!.content }] : [],
  )
const names = (text: string): string[] => text.match(/\b[A-Z][a-z]{5,}\b/g) ?? []

test("the documents are the ones that this version writes on every machine", () => {
  const digest = createHash("sha256")
    .update(JSON.stringify(take(500, 1)))
    .digest("hex")
  expect(digest).toBe("9a5bf7b1c31e6fc8a5e27c16f50122fa3015297c02027340be839ac12a9acc10")
})

test("no name or count of held-out items stands in them", () => {
  for (const document of documents) {
    const text = "text" in document ? document.text : document.messages.map(({ content }) => content).join("\n")
    expect(inventedStems(text).filter((name) => splitOf(name) !== "train")).toEqual([])
  }
})

test("a list gives the value of a name that is on it, and of no other", () => {
  let [known, unknown] = [0, 0]
  for (const messages of conversations("roster")) {
    const values = new Map<string, string>()
    for (const [, name, value] of messages[0]!.content.matchAll(/(\w+)(?:: | - | has | and | = )(\w+)\./g))
      values.set(name!, value!)
    expect(values.size).toBeGreaterThan(0)
    for (const { question, answer } of asked(messages)) {
      const value = values.get(names(question)[0]!)
      expect(answer).toBe(value ?? UNKNOWN)
      if (value === undefined) unknown++
      else known++
    }
  }
  expect(known).toBeGreaterThan(300)
  expect(unknown).toBeGreaterThan(300)
})

test("sentences answer for those that they name, and leave the others open", () => {
  let count = 0
  for (const messages of conversations("census")) {
    // Questions after the first: the first stands behind the passage. A question names one subject at most.
    for (const { question, answer } of asked(messages)) {
      const subject = names(question).find((name) => inventedStems(name).length > 0)!
      const isNamed = names(messages[0]!.content).includes(subject)
      if (answer !== UNKNOWN) expect(isNamed).toBe(true)
      if (!isNamed) expect(answer).toBe(UNKNOWN)
      count++
    }
  }
  expect(count).toBeGreaterThan(500)
})

test("what is said to be so is so", () => {
  const answers = { yes: 0, no: 0 }
  for (const messages of conversations("truths")) {
    const owned = new Map<string, string>()
    for (const [, name, thing] of messages[0]!.content.matchAll(/(\w+)(?: has an? |: | keeps an? )(\w+)\./g))
      if (!owned.has(name!)) owned.set(name!, thing!)
    for (const { question, answer } of asked(messages)) {
      const [, name, thing] = /(\w+)(?: has an?)? (\w+)\.?$/.exec(question)!
      expect(answer).toBe(owned.get(name!) === thing ? "yes" : "no")
      answers[answer as "yes" | "no"]++
    }
  }
  // As many are so as are not, and of those that are so more come twice, which are left out.
  expect(answers.yes / (answers.yes + answers.no)).toBeWithin(0.3, 0.6)
})

test("of two numbers the larger or the smaller is told", () => {
  const found = conversations("larger")
  expect(found.length).toBeGreaterThan(20)
  for (const messages of found)
    for (const { question, answer } of asked(messages)) {
      const numbers = question.match(/\d+/g)!.map(Number)
      expect(answer).toBe(String(question.includes("larger") ? Math.max(...numbers) : Math.min(...numbers)))
    }
})

test("a mingled name has each syllable from the names it is made of, and keeps the split", () => {
  const draw = { random: rng(6, "mingled"), split: "train" as const }
  for (let i = 0; i < 200; i++) {
    const names = Array.from({ length: 4 }, () => person(draw))
    const name = mingled(draw, names)
    expect(splitOf(name)).toBe("train")
    const syllables = new Set(names.flatMap((each) => each.match(/.../g)!))
    expect(name.match(/.../g)!.filter((part) => !syllables.has(part)).length).toBeLessThanOrEqual(1)
  }
})
