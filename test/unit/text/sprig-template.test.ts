import { describe, expect, test } from "bun:test"
import { trainBpe } from "../../../src/text/bpe-train.ts"
import { answerLead, encodeChat } from "../../../src/text/chat.ts"
import { SPRIG_SPECIAL_TOKENS, sprigTokenizerConfig } from "../../../src/text/sprig-template.ts"
import { loadTokenizer } from "../../../src/text/tokenizer.ts"
import golden from "../../fixtures/text/trained.json"

const tokenizer = loadTokenizer({
  tokenizerJson: trainBpe(golden.corpus, { vocabSize: 420, specialTokens: SPRIG_SPECIAL_TOKENS }),
  tokenizerConfig: sprigTokenizerConfig(512),
})
const user = (content: string) => ({ role: "user", content })
const assistant = (content: string) => ({ role: "assistant", content })

describe("the embedded base's template", () => {
  test("writes roles as single tokens and contents after a space", () => {
    const messages = [{ role: "system", content: "Be kind." }, user("Is the sky blue?"), assistant("Yes.")]
    expect(tokenizer.renderChat(messages)).toBe(
      "<|system|> Be kind.<|end|><|user|> Is the sky blue?<|end|><|assistant|> Yes.<|end|>",
    )
    expect(tokenizer.renderChat([user("Hi")], { addGenerationPrompt: true })).toBe("<|user|> Hi<|end|><|assistant|>")
    expect([tokenizer.padId, tokenizer.eosId, tokenizer.bosId]).toEqual([0, 1, null])
  })

  test("gives a name the same tokens at the start of a message as inside one", () => {
    const name = tokenizer.encode(" Talon")
    const { ids, spans } = encodeChat(tokenizer, [user("in Talon"), assistant("Talon")])
    const question = ids.slice(spans[0]!.start, spans[0]!.end)
    expect(question.slice(-1 - name.length, -1)).toEqual(name)
    expect(ids.slice(spans[1]!.start, spans[1]!.end)).toEqual([...name, tokenizer.eosId!])
  })

  test("leaves all of an answer to the model, the space before a number too", () => {
    const { ids, spans } = encodeChat(tokenizer, [user("1 + 1?"), assistant("12")])
    const { start, end } = spans.at(-1)!
    expect(ids.slice(start, end)).toEqual([...tokenizer.encode(" 12"), tokenizer.eosId!])
  })

  test("is the same conversation when an answer comes back with the space it began with", () => {
    expect(answerLead(tokenizer)).toBe(" ")
    expect(encodeChat(tokenizer, [user("Hi"), assistant(" Blue.")]).ids).toEqual(
      encodeChat(tokenizer, [user("Hi"), assistant("Blue.")]).ids,
    )
  })

  test("refuses roles that the base has never seen", () => {
    expect(() => tokenizer.renderChat([{ role: "tool", content: "x" }])).toThrow("Roles are system, user and assistant")
  })
})
