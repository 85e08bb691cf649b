import { expect, test } from "bun:test"
import { citedPassages } from "../../../src/answering/citations.ts"
import type { Passage } from "../../../src/rag/retriever.ts"

const passages = ["The mayor of Tal is Mira Voss.", "Tal lies by the Ost.", "Mira Lind bakes."].map(
  (text, chunk): Passage => ({
    documentId: "d",
    collection: "c",
    title: "t",
    chunk,
    start: 0,
    end: text.length,
    text,
    metadata: {},
    score: 1,
    relevance: 1,
  }),
)
const cited = (answer: string, question: string) => citedPassages(answer, question, passages).map(({ chunk }) => chunk)

test("an answer cites the passages that hold what it says, the closest first", () => {
  expect(cited("Mira Voss", "Who is the mayor of Tal?")).toEqual([0, 2])
  expect(cited('{"river": "Ost"}', "Which river is by Tal?")).toEqual([1])
})

test("words of the question cite nothing, nor do words that are nowhere", () => {
  expect(cited("Tal", "Where is Tal?")).toEqual([])
  expect(cited("I don't know.", "Who?")).toEqual([])
})
