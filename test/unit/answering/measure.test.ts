import { describe, expect, test } from "bun:test"
import { calibrateRouter } from "../../../src/answering/calibrate.ts"
import { draftOf } from "../../../src/answering/draft.ts"
import { featuresOf } from "../../../src/answering/features.ts"
import { answered, holds, type Measuring, measureModel, recallAt } from "../../../src/answering/measure.ts"
import { plainRouter } from "../../../src/answering/profile.ts"
import type { LabelledQuestion } from "../../../src/answering/questions.ts"
import { plainReading } from "../../../src/answering/reading.ts"
import type { Passage } from "../../../src/rag/retriever.ts"
import type { EngineApi, GenerateRequest } from "../../../src/serve/engine-api.ts"

const passage = (documentId: string, text: string, relevance: number): Passage => ({
  ...{ documentId, collection: "c", title: documentId, chunk: 0, start: 0, end: text.length, text, metadata: {} },
  ...{ score: relevance, relevance },
})
const tal = passage("tal", "The mayor of Tal is Mira.", 0.9)
const ost = passage("ost", "The mayor of Ost is Otto.", 0.8)

/** Finds what is named in the query. An engine that reads: it knows what a passage says and nothing else. */
function parts(adapter: string | null = null) {
  const generated: GenerateRequest[] = []
  const engine = {
    async generate(request: GenerateRequest) {
      generated.push(request)
      const [prompt] = request.prompts
      const shown = prompt && "messages" in prompt ? prompt.messages.at(-1)!.content : ""
      const text = /^Write/.test(shown) ? "A poem." : (/ is (Mira|Otto)\./.exec(shown)?.[1] ?? "I don't know.")
      async function* events() {
        yield { type: "text-delta", choice: 0, text: text.slice(0, 3), tokens: [{ logprob: -0.5 }] }
        yield { type: "text-delta", choice: 0, text: text.slice(3), tokens: [{ logprob: -1.5 }] }
      }
      return {
        adapter: request.adapter ? { name: request.adapter, hash: "h" } : null,
        promptTokens: 1,
        events: events(),
      }
    },
  } as unknown as EngineApi
  const measuring: Measuring = {
    engine,
    retriever: { search: async ({ query }) => [tal, ost].filter(({ title }) => query.toLowerCase().includes(title)) },
    reading: plainReading,
    router: plainRouter,
    count: (text) => text.split(/\s+/).length,
    contextLength: 512,
    collection: "c",
    adapter,
    form: (answer) => answer.endsWith("."),
    answerTokens: 16,
  }
  return { measuring, generated }
}
const labelled = (content: string, more: Partial<LabelledQuestion>): LabelledQuestion => ({
  ...{ messages: [{ role: "user", content }], retrieve: true, answer: "I don't know.", kind: "absent", document: null },
  ...more,
})
const questions = [
  labelled("Who is the mayor of Tal?", { answer: "Mira", kind: "fact", document: "tal" }),
  labelled("Who is the mayor of Ost?", { answer: "Otto", kind: "fact", document: "ost" }),
  labelled("Who is the mayor of Zim?", {}),
  labelled("Write a poem.", { retrieve: false, answer: "A poem.", kind: "form" }),
]

describe("measuring retrieval", () => {
  test("nothing is known without documents, facts come from them, and the rest is abstained from", async () => {
    const { measuring } = parts()
    const { model, router } = await measureModel(questions, measuring)
    expect(model.off.kinds["fact"]).toEqual({ questions: 2, exact: 0, holds: 0, abstained: 2, formed: 2 })
    expect(model.always.kinds["fact"]).toEqual({ questions: 2, exact: 2, holds: 2, abstained: 0, formed: 0 })
    expect(model.auto.kinds["fact"]).toEqual(model.always.kinds["fact"]!)
    expect(model.always.kinds["absent"]).toMatchObject({ questions: 1, abstained: 1 })
    expect(model.auto.kinds["form"]).toMatchObject({ questions: 1, exact: 1, formed: 1 })
    // A request for a poem finds nothing where documents are always asked.
    expect(model.always.kinds["form"]).toMatchObject({ exact: 0, abstained: 1 })
    expect(router).toEqual({ accuracy: 1, precision: 1, recall: 1 })
  })

  test("an adapter answers, the base drafts, and what was decided before it is part of the time", async () => {
    const { measuring, generated } = parts("card")
    const began = performance.now()
    const answer = await answered(questions[0]!, "auto", measuring)
    expect(answer).toMatchObject({ text: "Mira", retrieved: true, nothingFound: false, adapter: "card" })
    expect(answer.decidingMs).toBeLessThanOrEqual(performance.now() - began)
    expect(generated.map(({ adapter }) => adapter)).toEqual([null, "card"])
    expect(await answered(questions[2]!, "always", measuring)).toMatchObject({ nothingFound: true, adapter: null })
  })

  test("recall counts the document that answers, at its place", async () => {
    const retriever = { search: async () => [ost, tal] }
    expect(await recallAt(questions, { retriever, collection: "c" }, [1, 3])).toEqual({ 1: 0.5, 3: 1 })
  })

  test("an answer holds a word where it is a whole one", () => {
    expect(["It is Mira.", '{"name":"Mira"}', "Miranda", "mira"].map((text) => holds(text, "Mira"))).toEqual([
      true,
      true,
      false,
      false,
    ])
  })

  test("a router is fitted to what the documents and the base say to labelled questions", async () => {
    const { measuring } = parts()
    const router = await calibrateRouter(Array(12).fill(questions).flat(), measuring)
    expect(router).toMatchObject({ examples: 48, precision: 1, recall: 1 })
    const { router: right } = await measureModel(questions, { ...measuring, router })
    expect(right.accuracy).toBe(1)
  })
})

describe("what a router looks at", () => {
  test("a draft of the base: what it says, how sure it is, and whether it knows", async () => {
    const { measuring, generated } = parts("card")
    const draft = await draftOf(measuring.engine, { messages: questions[0]!.messages, reading: plainReading })
    expect(draft).toEqual({ text: "I don't know.", meanLogprob: -1, unknown: true })
    expect(generated[0]).toMatchObject({ adapter: null, maxTokens: 8, sampling: { temperature: 0 } })
  })

  test("the form of the question, and how much of it the documents hold", () => {
    const sure = { text: "Mira", meanLogprob: Math.log(0.75), unknown: false }
    const of = (content: string) => featuresOf([{ role: "user", content }], [tal], sure)
    expect(of("Who is the mayor of Tal?")).toMatchObject({ question: 1, command: 0, material: 0, marks: 0, unknown: 0 })
    expect(of("Who is the mayor of Tal?")).toMatchObject({ relevance: 0.9, bareRelevance: 0.9 })
    expect(of("Who is the mayor of Tal?").doubt).toBeCloseTo(0.25)
    expect(of("Please rewrite this: Tal is old. It rains. Nobody came.")).toMatchObject({
      ...{ question: 0, command: 1, material: 1, marks: 0.5, bareRelevance: 0 },
    })
    for (const command of ["Could you please compose a haiku.", "Hey, come up with a name", "I'd like you to fix it"])
      expect(of(command)).toMatchObject({ command: 1 })
    for (const question of ["I need to know who runs it", "what's that", "Tell me who it was", "the price of it?"])
      expect(of(question)).toMatchObject({ question: 1 })
    expect(featuresOf([{ role: "system", content: "Who?" }], [], { ...sure, unknown: true })).toMatchObject({
      ...{ question: 0, relevance: 0, unknown: 1 },
    })
  })

  test("a name that is asked about: no number, no day, and none of a text that is handed over", () => {
    const sure = { text: "Mira", meanLogprob: 0, unknown: false }
    const named = (content: string) => featuresOf([{ role: "user", content }], [], sure).named
    expect(["Who is the mayor of Tal?", "weight of the Zorb kettle", "How heavy is the X2?"].map(named)).toEqual([
      1, 1, 1,
    ])
    expect(["Is 96 or 48 larger?", "Which day comes after Monday, I ask?", "How are you?"].map(named)).toEqual([
      0, 0, 0,
    ])
    expect(named("Sort this: Ada came. Then Bob came. Then Cleo.")).toBe(0)
  })
})
