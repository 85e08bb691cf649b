import { expect, test } from "bun:test"
import { readFileSync } from "node:fs"
import { inventedStems, splitOf } from "../../../scripts/corpus/names.ts"
import { retrievalFiles } from "../../../scripts/make-retrieval.ts"
import { readQuestions } from "../../../src/answering/questions.ts"

const files = retrievalFiles()

test("the committed files are what the program writes", () => {
  for (const [name, text] of files) expect(readFileSync(`models/sprig/retrieval/${name}`, "utf8")).toBe(text)
})

test("no name of one split stands in the other", () => {
  for (const [name, text] of files) {
    const split = name.startsWith("train") ? "train" : "heldout"
    expect(inventedStems(text).filter((stem) => splitOf(stem) !== split)).toEqual([])
  }
})

test("what a note answers stands in that note, and what is left open in none", () => {
  const documents = new Map(
    files
      .get("heldout.documents.jsonl")!
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line) as { id: string; text: string })
      .map(({ id, text }) => [id, text]),
  )
  const questions = readQuestions(files.get("heldout.questions.jsonl")!, "heldout")
  const count = (kind: string): number => questions.filter((question) => question.kind === kind).length
  expect(documents.size).toBeGreaterThanOrEqual(200)
  expect(count("fact")).toBeGreaterThanOrEqual(500)
  expect([count("unsaid"), count("absent"), count("form")]).toEqual([120, 120, 300])
  for (const { kind, answer, document, retrieve } of questions) {
    expect(retrieve).toBe(kind !== "form")
    if (kind === "fact") expect(documents.get(document!)).toContain(answer!)
    else expect(document).toBeNull()
  }
})
