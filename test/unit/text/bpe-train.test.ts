import { describe, expect, test } from "bun:test"
import { trainBpe } from "../../../src/text/bpe-train.ts"
import golden from "../../fixtures/text/trained.json"

const specialTokens = ["<|pad|>", "<|end|>", "<|system|>", "<|user|>", "<|assistant|>"]
const settings = { vocabSize: golden.vocabSize, specialTokens }

describe("trainBpe", () => {
  test("learns the merges and ids that Hugging Face's BpeTrainer learns", () => {
    const { model } = trainBpe(golden.corpus, settings)
    expect(model.merges).toEqual(golden.merges.map((pair) => pair.join(" ")))
    expect(model.vocab).toEqual(golden.vocab)
  })

  test("gives the same tokenizer for the same texts in another order", () => {
    const one = trainBpe(golden.corpus, settings)
    expect(JSON.stringify(trainBpe(golden.corpus.toReversed(), settings))).toBe(JSON.stringify(one))
  })

  test("never merges digits with each other or with anything else", () => {
    const { model } = trainBpe(["in 1999 and 1999 and 1999"], settings)
    expect(Object.keys(model.vocab).filter((token) => token.length > 1 && /\d/.test(token))).toEqual([])
    const { model: merged } = trainBpe(["in 1999 and 1999 and 1999"], { ...settings, splitDigits: false })
    expect(Object.keys(merged.vocab)).toContain("Ġ1999")
  })

  test("cuts special tokens out of the texts, so that no word is learned from them", () => {
    const marked = golden.corpus.map((text) => `<|user|>${text}<|end|>`)
    expect(trainBpe(marked, settings).model).toEqual(trainBpe(golden.corpus, settings).model)
  })

  test("stops where no pair is frequent enough", () => {
    const { model } = trainBpe(["abab"], settings)
    expect(model.merges).toEqual(["a b"])
    expect(Object.keys(model.vocab)).toHaveLength(specialTokens.length + 256 + 1)
    expect(trainBpe(["abab"], { ...settings, minFrequency: 3 }).model.merges).toEqual([])
  })

  test("gives one id to a token that two merges spell", () => {
    const { model } = trainBpe([" aab".repeat(4), " aaab".repeat(5), " aaaab".repeat(3)], settings)
    const ids = Object.values(model.vocab)
    expect(ids.toSorted((a, b) => a - b)).toEqual(ids.map((_, id) => id))
    for (const merge of model.merges) expect(Object.keys(model.vocab)).toContain(merge.replace(" ", ""))
  })

  test("refuses a vocabulary without room for the bytes, and special tokens that repeat", () => {
    expect(() => trainBpe([], { vocabSize: 260, specialTokens })).toThrow("at least 261 tokens but found 260")
    expect(() => trainBpe([], { vocabSize: 400, specialTokens: ["<|end|>", "<|end|>"] })).toThrow(RangeError)
    expect(() => trainBpe([], { vocabSize: 400, specialTokens: [""] })).toThrow(RangeError)
  })
})
