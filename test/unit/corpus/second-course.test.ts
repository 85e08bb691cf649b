import { expect, test } from "bun:test"
import { corpusStream } from "../../../scripts/corpus/corpus.ts"
import type { CorpusDocument } from "../../../scripts/corpus/document.ts"
import { inventedStems, splitOf } from "../../../scripts/corpus/names.ts"
import { UNKNOWN } from "../../../scripts/corpus/reading.ts"

function take(from: number, count: number): CorpusDocument[] {
  const found: CorpusDocument[] = []
  let made = 0
  for (const document of corpusStream(2, "train", "again")) {
    if (made++ >= from) found.push(document)
    if (found.length === count) return found
  }
  return found
}

const textOf = (document: CorpusDocument): string =>
  "text" in document ? document.text : document.messages.map(({ content }) => content).join("\n")

/** Of the answers in documents of a kind, the share that are unknown. */
function openShare(documents: readonly CorpusDocument[], kind: string): number {
  const answers = documents.flatMap((document) =>
    document.kind === kind && "messages" in document
      ? document.messages.filter(({ role }) => role === "assistant").map(({ content }) => content)
      : [],
  )
  expect(answers.length).toBeGreaterThan(300)
  return answers.filter((answer) => answer === UNKNOWN).length / answers.length
}

test("a second course is not the first one again, and draws no held-out name", () => {
  const documents = take(0, 1500)
  const first = new Set<string>()
  for (const document of corpusStream(2, "train")) {
    first.add(textOf(document))
    if (first.size === 1500) break
  }
  expect(documents.filter((document) => "messages" in document && first.has(textOf(document))).length).toBeLessThan(150)
  const names = documents.flatMap((document) => inventedStems(textOf(document)))
  expect(names.length).toBeGreaterThan(1000)
  expect(names.filter((name) => splitOf(name) !== "train")).toEqual([])
})

test("it begins with passages that leave as much open as they answer, and later ones leave less open", () => {
  const early = openShare(take(0, 600), "interview")
  const late = openShare(take(50_000, 600), "questions")
  expect(early).toBeGreaterThan(0.4)
  expect(early).toBeLessThan(0.65)
  expect(late).toBeGreaterThan(0.15)
  expect(late).toBeLessThan(0.4)
}, 60_000)

test("what an interview says is known stands in its passages", () => {
  let known = 0
  for (const document of take(0, 800)) {
    if (document.kind !== "interview" || !("messages" in document)) continue
    const passage = document.messages[0]!.content
    for (const { role, content } of document.messages) {
      if (role !== "assistant" || content === UNKNOWN) continue
      known++
      expect(passage).toContain(content)
    }
  }
  expect(known).toBeGreaterThan(200)
})
