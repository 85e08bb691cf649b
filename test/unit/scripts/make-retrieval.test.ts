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
    if (name.startsWith("everyday/")) continue
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

test("everyday questions share no wording between the splits, and are answered by their notes", () => {
  const read = (name: string) => readQuestions(files.get(`everyday/${name}.questions.jsonl`)!, name)
  const words = ({ messages }: { messages: readonly { content: string }[] }) =>
    messages[0]!.content.replace(/\p{Lu}\p{Ll}+|\d+/gu, "_")
  const known = new Set(read("train").map(words))
  expect(read("heldout").filter((item) => known.has(words(item)))).toEqual([])
  const notes = new Map(
    files
      .get("everyday/heldout.documents.jsonl")!
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line) as { id: string; text: string })
      .map(({ id, text }) => [id, text.toLowerCase()]),
  )
  const facts = read("heldout").filter(({ kind }) => kind === "fact")
  expect(facts.length).toBeGreaterThanOrEqual(200)
  for (const { document, answer } of facts) expect(notes.get(document!)).toContain(answer!.toLowerCase())
})
