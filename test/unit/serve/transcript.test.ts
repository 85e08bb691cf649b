import { describe, expect, test } from "bun:test"
import { createTranscript } from "../../../src/serve/transcript.ts"
import { loadTokenizer } from "../../../src/text/tokenizer.ts"
import gpt2 from "../../fixtures/text/gpt2.json"
import llama2 from "../../fixtures/text/llama2.json"

describe.each(Object.entries({ gpt2, llama2 }))("a transcript by %s", (_, layout) => {
  const tokenizer = loadTokenizer(layout)
  const ids = tokenizer.encode("Once upon a time, the tower of Talon was blue.")
  const picked = (some: readonly number[]) => some.map((id) => ({ id, logprob: -1, top: [] }))
  const written = (some: readonly number[], beginning: Parameters<typeof createTranscript>[2]) => {
    const transcript = createTranscript(tokenizer, [], beginning)
    const deltas = [...picked(some).map((token) => transcript.push(token)), transcript.flush()]
    return { text: deltas.map(({ text }) => text).join(""), tokens: deltas.flatMap(({ tokens }) => tokens) }
  }

  test("of a completion joins its tokens, each at its offset", () => {
    const [before, after] = [ids.slice(0, 3), ids.slice(3)]
    const { text, tokens } = written(after, { before })
    expect(tokens.map((token) => token.text).join("")).toBe(text)
    expect(Buffer.concat(tokens.map(({ bytes }) => bytes)).toString()).toBe(text)
    for (const { offset, text: own } of tokens) expect(text.slice(offset, offset + own.length)).toBe(own)
  })

  test("of an answer leaves the template's blank out of the text; the token stays what the vocabulary has", () => {
    const answer = ids.slice(3)
    const { text, tokens } = written(answer, { lead: " ", before: ids.slice(0, 3) })
    expect(tokens[0]!.text).toMatch(/^ /)
    expect(tokens.map((token) => token.text).join("")).toBe(` ${text}`)
    expect(tokens.map(({ id }) => id)).toEqual(answer)
    for (const { offset, text: own } of tokens.slice(1)) expect(text.slice(offset, offset + own.length)).toBe(own)
  })
})
