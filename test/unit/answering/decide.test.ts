import { describe, expect, test } from "bun:test"
import { type Answering, decide, type RetrievalMode } from "../../../src/answering/decide.ts"
import { featureNames } from "../../../src/answering/features.ts"
import { plainReading } from "../../../src/answering/reading.ts"
import type { Passage, SearchRequest } from "../../../src/rag/retriever.ts"
import type { EngineApi, GenerateRequest } from "../../../src/serve/engine-api.ts"

const tal: Passage = {
  documentId: "d",
  collection: "c",
  title: "Tal",
  chunk: 0,
  start: 0,
  end: 30,
  text: "The mayor of Tal is Mira Voss.",
  metadata: {},
  score: 3,
  relevance: 0.9,
}

/** An engine that says the same to everything, a retriever that finds the same for everything. */
function parts(said: string, found: readonly Passage[]) {
  const generated: GenerateRequest[] = []
  const searched: SearchRequest[] = []
  const engine = {
    async generate(request: GenerateRequest) {
      generated.push(request)
      async function* events() {
        yield { type: "text-delta", choice: 0, text: said, tokens: [{ logprob: -0.1 }, { logprob: -0.3 }] }
      }
      return { adapter: null, promptTokens: 1, events: events() }
    },
  } as unknown as EngineApi
  const weights = Object.fromEntries(featureNames.map((name) => [name, name === "relevance" ? 4 : 0]))
  const answering: Answering = {
    engine,
    retriever: {
      async search(request) {
        searched.push(request)
        return found
      },
    },
    reading: plainReading,
    router: {
      bias: -2,
      weights: weights as Answering["router"]["weights"],
      threshold: 0.5,
      precision: 1,
      recall: 1,
      examples: 20,
    },
    count: (text) => text.split(/\s+/).length,
    contextLength: 512,
  }
  return { answering, generated, searched }
}
const messages = [{ role: "user", content: "Who is the mayor of Tal?" }]
const ask = (mode: RetrievalMode) => ({ messages, mode, collection: "c", answerTokens: 16 })

describe("a question's way", () => {
  test("off: nothing is searched", async () => {
    const { answering, searched, generated } = parts("x", [tal])
    const { decision, messages: after } = await decide(ask("off"), answering)
    expect([decision.retrieved, searched.length, generated.length, after]).toEqual([false, 0, 0, messages])
  })

  test("always: what was found stands before the question, and nothing is drafted", async () => {
    const { answering, generated, searched } = parts("x", [tal])
    const filter = { type: "eq", key: "year", value: 1 } as const
    const { decision, messages: after } = await decide({ ...ask("always"), filter }, answering)
    expect(decision).toMatchObject({ retrieved: true, nothingFound: false, probability: null, passages: [tal] })
    expect(after[0]!.content).toContain("[1] The mayor of Tal is Mira Voss.\n\nQuestion: Who is the mayor of Tal?")
    expect(searched).toEqual([{ collection: "c", query: "Who is the mayor of Tal?", limit: 3, filter }])
    expect(generated).toEqual([])
  })

  test("auto: documents that are about the question are used", async () => {
    const { answering, generated } = parts("I don't know.", [tal])
    const { decision } = await decide(ask("auto"), answering)
    expect(decision).toMatchObject({ retrieved: true, passages: [tal], draft: { unknown: true, meanLogprob: -0.2 } })
    expect(decision.probability).toBeCloseTo(1 / (1 + Math.exp(2 - 3.6)), 6)
    // By the bare base, greedily, and a few tokens only.
    expect(generated[0]).toMatchObject({ adapter: null, maxTokens: 8, sampling: { temperature: 0 } })
  })

  test("auto: where they are not, the model answers alone", async () => {
    const { answering } = parts("Tal.", [{ ...tal, relevance: 0.1 }])
    const { decision, messages: after } = await decide(ask("auto"), answering)
    expect([decision.retrieved, decision.passages, after]).toEqual([false, [], messages])
  })

  test("where nothing is about the question, that is said", async () => {
    for (const found of [[], [{ ...tal, relevance: 0.1 }]]) {
      const { decision, messages: after } = await decide(ask("always"), parts("x", found).answering)
      expect([decision.retrieved, decision.nothingFound, after]).toEqual([true, true, messages])
    }
  })

  test("passages leave the answer its room, and where there is none for them that is said, not that nothing was found", async () => {
    const { answering } = parts("x", [tal])
    const { decision } = await decide({ ...ask("always"), answerTokens: 400 }, answering)
    expect(decision.passages).toEqual([tal])
    const none = decide({ ...ask("always"), answerTokens: 480 }, answering)
    await expect(none).rejects.toMatchObject({ code: "context_length_exceeded", param: "max_tokens" })
    await expect(none).rejects.toThrow("512 tokens, and 6 of the conversation and 480 of the answer leave no room")
    const soft = decide({ ...ask("always"), answerTokens: 400, virtualTokens: 80 }, answering)
    await expect(soft).rejects.toThrow("80 of the adapter, 6 of the conversation and 400 of the answer leave no room")
  })
})
