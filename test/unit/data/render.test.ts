import { describe, expect, test } from "bun:test"
import { IGNORE } from "../../../src/data/batch.ts"
import { type RenderOptions, renderRow } from "../../../src/data/render.ts"
import { parseRow, type Row } from "../../../src/data/rows.ts"
import type { Tokenizer } from "../../../src/text/tokenizer-contract.ts"
import { type CharTokenizerOptions, charTokenizer } from "../../support/char-tokenizer.ts"

/** The row as text, and the text of its labels with a dot for each token that does not count. */
function shown(
  value: Record<string, unknown>,
  options: RenderOptions = {},
  setup: CharTokenizerOptions = {},
): [string, string] {
  const tokenizer = charTokenizer(setup)
  const { ids, labels } = renderRow(parseRow({ line: 1, value }) as Row, tokenizer, options)
  const text = (id: number) => (id === IGNORE ? "." : tokenizer.decode([id], { skipSpecial: false }))
  for (const [i, label] of labels.entries()) expect([IGNORE, ids[i]!]).toContain(label)
  return [Array.from(ids, text).join(""), Array.from(labels, text).join("")]
}

const plain = { hasChatTemplate: false }

describe("renderRow()", () => {
  test("messages: assistant turns count, with the token that ends them", () => {
    const messages = [
      { role: "user", content: "ab" },
      { role: "assistant", content: "cd" },
      { role: "user", content: "e" },
      { role: "assistant", content: "f" },
    ]
    expect(shown({ messages })).toEqual([
      "<|user|>ab<|end|><|assistant|>cd<|end|><|user|>e<|end|><|assistant|>f<|end|>",
      ".....cd<|end|>....f<|end|>",
    ])
  })

  test("messages: a turn of weight 0 does not count", () => {
    const messages = [
      { role: "assistant", content: "a", weight: 0 },
      { role: "assistant", content: "b" },
    ]
    expect(shown({ messages })[1]).toBe("....b<|end|>")
  })

  test("messages: tools reach the template", () => {
    expect(shown({ messages: [{ role: "assistant", content: "a" }], tools: [{}] })[0]).toStartWith(
      "<|system|>tools: 1<|end|>",
    )
  })

  test("messages: a special token written in a content is text", () => {
    const tokenizer = charTokenizer()
    const messages = [
      { role: "user", content: "<|end|><|assistant|>x" },
      { role: "assistant", content: "a" },
    ]
    const { ids } = renderRow(parseRow({ line: 1, value: { messages } }) as Row, tokenizer)
    expect(Array.from(ids).filter((id) => tokenizer.isSpecial(id)).length).toBe(4)
  })

  test("a prompt with its completion: turns where there is a chat template", () => {
    expect(shown({ prompt: "ab", completion: "c" })).toEqual([
      "<|user|>ab<|end|><|assistant|>c<|end|>",
      ".....c<|end|>",
    ])
  })

  test("a prompt with its completion: plain text and end token without one, or where that is wanted", () => {
    const row = { prompt: "ab", completion: "c" }
    expect(shown(row, {}, plain)).toEqual(["abc</s>", "..c</s>"])
    expect(shown(row, { chatTemplate: false })).toEqual(["abc</s>", "..c</s>"])
    expect(shown(row, { chatTemplate: false }, { hasBos: true })).toEqual(["<s>abc</s>", "...c</s>"])
  })

  test("alpaca: its own prompt text without a chat template", () => {
    const [text, labels] = shown({ instruction: "i", output: "o" }, {}, plain)
    expect(text).toBe("### Instruction:\ni\n\n### Response:\no</s>")
    expect(labels).toBe(`${".".repeat(text.length - 5)}o</s>`)
  })

  test("text: every token counts, and an end token that stands there is not doubled", () => {
    expect(shown({ text: "ab" })).toEqual(["ab</s>", "ab</s>"])
    expect(shown({ text: "ab</s>" })).toEqual(["ab</s>", "ab</s>"])
    expect(shown({ text: "ab" }, {}, { hasBos: true })[0]).toBe("<s>ab</s>")
  })

  test("lossOn all: every token counts", () => {
    const all = { lossOn: "all" } as const
    for (const row of [{ prompt: "ab", completion: "c" }, { messages: [{ role: "assistant", content: "a" }] }]) {
      const [text, labels] = shown(row, all)
      expect(labels).toBe(text)
    }
  })

  test("refuses messages without a chat template", () => {
    const row = { messages: [{ role: "assistant", content: "a" }] }
    expect(() => shown(row, {}, plain)).toThrow("Messages need a chat template")
    expect(() => shown(row, { chatTemplate: false })).toThrow("Messages need a chat template")
  })

  test("passes on the template's refusal", () => {
    const messages = [
      { role: "wizard", content: "a" },
      { role: "assistant", content: "a" },
    ]
    expect(() => shown({ messages })).toThrow("No role wizard in this template")
  })

  test("refuses a template that rewrites contents, unless everything counts", () => {
    const honest = charTokenizer()
    const shouting: Tokenizer = {
      ...honest,
      renderChat: (messages, options) =>
        honest.renderChat(
          messages.map((message) => ({ ...message, content: message.content.toUpperCase() })),
          options,
        ),
    }
    const row = parseRow({ line: 1, value: { prompt: "ab", completion: "c" } }) as Row
    expect(() => renderRow(row, shouting)).toThrow("The chat template rewrites messages")
    const { ids, labels } = renderRow(row, shouting, { lossOn: "all" })
    expect(labels).toEqual(ids)
  })

  test("does without an end token where the base has none", () => {
    const tokenizer = { ...charTokenizer(plain), eosId: null }
    const row = parseRow({ line: 1, value: { prompt: "ab", completion: "c" } }) as Row
    expect(renderRow(row, tokenizer).ids.length).toBe(3)
  })
})
