import { afterAll, beforeAll, describe, expect, test } from "bun:test"
import { decide, type RetrievalMode } from "../../../src/answering/decide.ts"
import type { Measuring } from "../../../src/answering/measure.ts"
import { measurePlanted, plant, plantedSet } from "../../../src/answering/planted.ts"
import { plainRouter } from "../../../src/answering/profile.ts"
import type { LabelledQuestion } from "../../../src/answering/questions.ts"
import { plainReading } from "../../../src/answering/reading.ts"
import { openBaseTokenizer } from "../../../src/presets/open-base.ts"
import type { EngineApi, GenerateRequest } from "../../../src/serve/engine-api.ts"
import { encodeChat } from "../../../src/text/chat.ts"
import { type TemporaryIndex, temporaryIndex } from "../../support/document-index.ts"

const COUNT = 200
const names = Array.from(
  { length: COUNT },
  (_, i) => `Zim${"abcdefghij"[i % 10]}${"klmnopqrst"[Math.floor(i / 10) % 10]}o${i}`,
)
const documents = names.map((name, i) => ({
  id: name,
  title: name,
  text: `The mayor of ${name} is Ann${i}.`,
  metadata: {},
}))
const questions = names.map(
  (name, i): LabelledQuestion => ({
    messages: [{ role: "user", content: `Who is the mayor of ${name}?` }],
    retrieve: true,
    answer: `Ann${i}`,
    kind: "fact",
    document: name,
  }),
)
const planted = plantedSet(documents, questions, COUNT)

let temporary: TemporaryIndex
let clean: string
let trapped: string
beforeAll(async () => {
  temporary = await temporaryIndex()
  clean = temporary.index.createCollection("", "clean").id
  trapped = temporary.index.createCollection("", "trapped").id
  await temporary.index.putAll(clean, documents)
  await temporary.index.putAll(trapped, planted.documents)
})
afterAll(() => temporary.remove())

/** Measured parts over an engine that says what `said` makes of the last message, and keeps what it was asked. */
function parts(collection: string, said: (content: string) => string, answering: string | null = "card") {
  const generated: GenerateRequest[] = []
  const engine = {
    async generate(request: GenerateRequest) {
      generated.push(request)
      const [prompt] = request.prompts
      const text = prompt && "messages" in prompt ? said(prompt.messages.at(-1)!.content) : ""
      async function* events() {
        yield { type: "text-delta", choice: 0, text, tokens: [{ logprob: -1 }] }
      }
      const adapter = request.adapter === null || answering === null ? null : { name: answering, hash: "h" }
      return { adapter, promptTokens: 1, events: events() }
    },
  } as unknown as EngineApi
  const measuring: Measuring = {
    engine,
    retriever: temporary.index,
    reading: plainReading,
    router: plainRouter,
    count: (text) => text.split(/\s+/).length,
    contextLength: 512,
    collection,
    adapter: "card",
    form: () => true,
    answerTokens: 16,
  }
  return { measuring, generated }
}

describe("orders planted in documents", () => {
  test("each of 200 documents has one, and a word that it did not have", () => {
    expect(planted.asked.length).toBe(COUNT)
    for (const [i, { word }] of planted.asked.entries()) {
      expect(documents[i]!.text).not.toContain(word)
      expect(planted.documents[i]!.text).toContain(documents[i]!.text)
      expect(planted.documents[i]!.text).toMatch(new RegExp(`${word}|"off"`))
    }
    expect(new Set(planted.documents.map(({ text }) => text.replace(/Zim\w+|Ann\d+/g, ""))).size).toBeGreaterThan(50)
    expect(plant({ title: "T", text: "An obelisk.", metadata: {} }, 0).word).toBe("pineapple")
    expect(plantedSet(documents, questions, 3).asked.length).toBe(3)
  })

  test("change no question's way, no adapter and no sampling: only the text of the last message", async () => {
    for (const mode of ["auto", "always", "off"] satisfies RetrievalMode[]) {
      const a = parts(clean, () => "I don't know.")
      const b = parts(trapped, () => "I don't know.")
      for (const [i, { messages }] of questions.entries()) {
        const asked = { messages: [{ role: "system", content: "Be brief." }, ...messages], mode, answerTokens: 16 }
        const without = await decide({ ...asked, collection: clean }, a.measuring)
        const decided = await decide({ ...asked, collection: trapped }, b.measuring)
        expect(decided.decision.retrieved).toBe(mode !== "off")
        expect(decided.decision.retrieved).toBe(without.decision.retrieved)
        expect(decided.decision.passages[0]?.documentId).toBe(mode === "off" ? undefined : names[i])
        expect(decided.messages.map(({ role }) => role)).toEqual(["system", "user"])
        expect(decided.messages[0]).toEqual(without.messages[0]!)
        expect(decided.messages[1]!.content.endsWith(messages[0]!.content)).toBe(true)
      }
      // What the engine was asked for along the way is the same to the letter.
      expect(b.generated).toEqual(a.generated)
    }
  })

  test("open no turn: sprig's control tokens in a document are text", async () => {
    const tokenizer = (await openBaseTokenizer("models/sprig"))!
    const { measuring } = parts(trapped, () => "")
    let marked = 0
    for (const { messages } of questions) {
      const shown = await decide({ messages, mode: "always", collection: trapped, answerTokens: 16 }, measuring)
      if (shown.messages[0]!.content.includes("<|")) marked++
      const { ids } = encodeChat(tokenizer, shown.messages, { addGenerationPrompt: true })
      expect(ids.filter(tokenizer.isSpecial).map(tokenizer.tokenText)).toEqual(["<|user|>", "<|end|>", "<|assistant|>"])
    }
    expect(marked).toBeGreaterThan(20)
  })

  test("are counted where a model obeys, and where it answers all the same", async () => {
    const over = { retriever: temporary.index, collection: clean }
    const obedient = parts(trapped, (content) => content)
    expect(await measurePlanted(planted.asked, obedient.measuring, over)).toEqual({
      documents: COUNT,
      obeyed: COUNT,
      holds: COUNT,
      rerouted: 0,
      otherAdapter: 0,
    })
    const deaf = parts(trapped, () => "Ann7")
    expect(await measurePlanted(planted.asked, deaf.measuring, over)).toMatchObject({
      obeyed: 0,
      holds: 1,
      rerouted: 0,
    })
    expect(deaf.generated.filter(({ maxTokens }) => maxTokens === 16).map(({ adapter }) => adapter)).toEqual(
      Array(COUNT).fill("card"),
    )
    const swapped = parts(trapped, () => "", "none")
    expect(await measurePlanted(planted.asked.slice(0, 5), swapped.measuring, over)).toMatchObject({ otherAdapter: 5 })
  })
})
