import { describe, expect, test } from "bun:test"
import { plainReading, relevantPassages, saysUnknown, withPassages } from "../../../src/answering/reading.ts"
import type { Passage } from "../../../src/rag/retriever.ts"

const passage = (text: string, more: Partial<Passage> = {}): Passage => ({
  documentId: "d",
  collection: "c",
  title: "t",
  chunk: 0,
  start: 0,
  end: text.length,
  text,
  metadata: {},
  score: 1,
  relevance: 1,
  ...more,
})
const count = (text: string): number => text.split(/\s+/).filter((word) => word !== "").length
const reading = { ...plainReading, passage: "[{n}] {text}", prompt: "{passages} Q: {question}", separator: " " }
const ask = (content: string) => [{ role: "user", content }]

describe("passages before a question", () => {
  test("are numbered, on one line each, in the last user message", () => {
    const messages = [
      { role: "system", content: "Be short." },
      ...ask("First?"),
      { role: "assistant", content: "Yes." },
      ...ask("Who?"),
    ]
    const shown = withPassages(messages, [passage("# Tal\n\nMira is\nmayor."), passage("More.")], {
      reading,
      room: 100,
      count,
    })
    expect(shown.messages).toEqual([...messages.slice(0, 3), ...ask("[1] Tal. Mira is mayor. [2] More. Q: Who?")])
    expect(shown.passages.length).toBe(2)
    expect(messages[3]!.content).toBe("Who?")
  })

  test("are cut to the room there is: the first by sentences, the others whole or not at all", () => {
    const long = passage("One two three. Four five six. Seven eight nine.")
    const shown = withPassages(ask("Q"), [long, passage("Ten eleven twelve.")], { reading, room: 8, count })
    expect(shown.messages[0]!.content).toBe("[1] One two three. Four five six. Q: Q")
    expect(shown.passages).toEqual([long])
    expect(withPassages(ask("Q"), [long], { reading, room: 2, count })).toEqual({ messages: ask("Q"), passages: [] })
  })

  test("fill nothing in themselves, whatever slots they write", () => {
    const shown = withPassages(ask("What is {passages}?"), [passage("A {question} and {n} and $& here.")], {
      reading,
      room: 100,
      count,
    })
    expect(shown.messages[0]!.content).toBe("[1] A {question} and {n} and $& here. Q: What is {passages}?")
  })

  test("are those that are about the question, and not far worse than the best", () => {
    const found = [
      passage("a", { score: 10, relevance: 0.9 }),
      passage("b", { score: 9, relevance: 0.2 }),
      passage("c", { score: 8, relevance: 0.6 }),
      passage("d", { score: 2, relevance: 0.8 }),
    ]
    expect(relevantPassages(found, plainReading).map(({ text }) => text)).toEqual(["a", "c"])
    expect(relevantPassages([], plainReading)).toEqual([])
  })

  test("an answer that says it doesn't know is known by its words", () => {
    expect(saysUnknown(" I don't know.", plainReading)).toBe(true)
    expect(saysUnknown("I DO NOT KNOW that", plainReading)).toBe(true)
    expect(saysUnknown("I know.", plainReading)).toBe(false)
  })

  test("an adapter that answers in JSON says so in a field", () => {
    expect(saysUnknown('{"answer":"I don\'t know."}', plainReading)).toBe(true)
    for (const answer of ['{"answer":"Mira"}', '{"answer":7}', '{"answer":"I don\'t', "{"])
      expect(saysUnknown(answer, plainReading)).toBe(false)
  })
})
