import { describe, expect, test } from "bun:test"
import fc from "fast-check"
import { sha256Hex } from "../../../src/core/hash.ts"
import { loadTokenizer } from "../../../src/text/tokenizer.ts"
import bert from "../../fixtures/text/bert.json"
import digits from "../../fixtures/text/digits.json"
import gemma from "../../fixtures/text/gemma.json"
import gpt2 from "../../fixtures/text/gpt2.json"
import llama2 from "../../fixtures/text/llama2.json"
import llama3 from "../../fixtures/text/llama3.json"
import mistral from "../../fixtures/text/mistral.json"
import qwen from "../../fixtures/text/qwen.json"
import unigram from "../../fixtures/text/unigram.json"

const layouts = { digits, gpt2, llama3, qwen, llama2, gemma, mistral, unigram, bert }

describe.each(Object.entries(layouts))("the %s layout against Python's tokenizers", (_, { tokenizerJson, cases }) => {
  const tokenizer = loadTokenizer({ tokenizerJson })

  test("encodes hard texts to the same ids", () => {
    for (const { text, parsed, plain, prompt } of cases) {
      expect({ text, ids: tokenizer.encode(text) }).toEqual({ text, ids: parsed })
      expect({ text, ids: tokenizer.encode(text, { parseSpecial: false }) }).toEqual({ text, ids: plain })
      expect({ text, ids: tokenizer.encode(text, { addSpecial: true }) }).toEqual({ text, ids: prompt })
    }
  })

  test("decodes them to the same texts", () => {
    for (const { plain, decoded } of cases) {
      expect(tokenizer.decode(plain, { skipSpecial: false })).toBe(decoded)
    }
  })
})

describe.each(Object.entries({ qwen, gemma, mistral, unigram, bert }))(
  "the %s layout at length",
  (_, { tokenizerJson, long }) => {
    const tokenizer = loadTokenizer({ tokenizerJson })

    test.each(long)(
      "encodes 100 kB of $character as Python's tokenizers do",
      async ({ character, count, sha256: wanted }) => {
        const ids = tokenizer.encode(character.repeat(Math.floor(100_000 / new TextEncoder().encode(character).length)))
        expect(ids.length).toBe(count)
        expect(await sha256Hex(new TextEncoder().encode(ids.join()))).toBe(wanted)
      },
    )
  },
)

describe.each([
  ["digits", digits],
  ["gpt2", gpt2],
  ["llama3", llama3],
])("the byte-level layout %s", (_, { tokenizerJson }) => {
  const tokenizer = loadTokenizer({ tokenizerJson })

  test("gives any text back, special tokens parsed or not", () => {
    // Half a surrogate pair is no text: UTF-8 has no bytes for it.
    const text = fc.oneof(
      fc.string({ unit: "binary", maxLength: 60 }),
      fc.string({ unit: fc.constantFrom(..." \n\t'a1é🌱<|end|>\u0085\ufeff") }),
    )
    fc.assert(
      fc.property(text, fc.boolean(), (written, parseSpecial) => {
        const ids = tokenizer.encode(written, { parseSpecial })
        expect(tokenizer.decode(ids, { skipSpecial: false })).toBe(written)
      }),
    )
  })

  test("encodes 100 kB of one character and gives it back", () => {
    for (const character of ["a", " ", "\n", "é", "🌱", "1"]) {
      const text = character.repeat(100_000 / new TextEncoder().encode(character).length)
      expect(tokenizer.decode(tokenizer.encode(text))).toBe(text)
    }
  })

  test("knows the bytes of every token", () => {
    const bytes = (id: number): number[] => [...tokenizer.tokenBytes(id)]
    const ids = tokenizer.encode("Mira, é 🌱\n")
    expect(ids.flatMap(bytes)).toEqual([...new TextEncoder().encode("Mira, é 🌱\n")])
  })
})

describe("special tokens", () => {
  const tokenizer = loadTokenizer({
    tokenizerJson: digits.tokenizerJson,
    tokenizerConfig: { eos_token: "<|end|>", pad_token: { content: "<|pad|>" } },
  })
  const end = tokenizer.eosId!

  test("are named by tokenizer_config.json, as text or as an object", () => {
    expect(tokenizer.tokenText(end)).toBe("<|end|>")
    expect(tokenizer.tokenText(tokenizer.padId!)).toBe("<|pad|>")
    expect(tokenizer.bosId).toBeNull()
    expect(tokenizer.isSpecial(end)).toBe(true)
    expect(tokenizer.vocabSize).toBe(480)
  })

  test("are text with parseSpecial: false, and where a guard stands in them", () => {
    const plain = tokenizer.encode("<|end|>", { parseSpecial: false })
    expect(plain).not.toContain(end)
    expect(tokenizer.encode("<\uFDD0|end|>", { guard: "\uFDD0" })).toEqual(plain)
    expect(tokenizer.encode("<\uFDD0|end|><|end|>", { guard: "\uFDD0" })).toEqual([...plain, end])
  })

  test("are left out of decoded text unless asked for", () => {
    const ids = tokenizer.encode("a<|end|>b")
    expect(tokenizer.decode(ids)).toBe("ab")
    expect(tokenizer.decode(ids, { skipSpecial: false })).toBe("a<|end|>b")
    expect(tokenizer.decode([end])).toBe("")
    expect(tokenizer.decode([])).toBe("")
  })

  test("are recognised by their look where a file doesn't mark them", () => {
    const { tokenizerJson } = digits
    const added_tokens = tokenizerJson.added_tokens.map((token) => ({ ...token, special: false }))
    const unmarked = loadTokenizer({ tokenizerJson: { ...tokenizerJson, added_tokens } })
    expect(unmarked.isSpecial(end)).toBe(true)
    expect(unmarked.encode("<|end|>", { parseSpecial: false })).not.toContain(end)
  })

  test("are no text even where the file has them normalized", () => {
    const { tokenizerJson } = llama2
    const added_tokens = tokenizerJson.added_tokens.map((token) => ({ ...token, normalized: true }))
    const tokenizer = loadTokenizer({ tokenizerJson: { ...tokenizerJson, added_tokens } })
    const [eos] = tokenizer.encode("</s>")
    expect(tokenizer.isSpecial(eos!)).toBe(true)
    expect(tokenizer.encode("<\uFDD0/s>", { guard: "\uFDD0" })).not.toContain(eos)
  })
})

describe("a SentencePiece layout", () => {
  const tokenizer = loadTokenizer({ tokenizerJson: llama2.tokenizerJson })

  test("knows the bytes of its tokens: a space for U+2581, one byte for <0x..>", () => {
    const ids = tokenizer.encode("Mira 🌱")
    const bytes = Uint8Array.from(ids.flatMap((id) => [...tokenizer.tokenBytes(id)]))
    expect(new TextDecoder().decode(bytes)).toBe(" Mira 🌱")
  })
})

describe("garbled files", () => {
  const { tokenizerJson } = gpt2
  const model = (change: Record<string, unknown>) => ({
    ...tokenizerJson,
    model: { ...tokenizerJson.model, ...change },
  })

  test.each([
    ["no object", [], "tokenizer.json: expected an object with a model"],
    ["null", null, "tokenizer.json: expected an object with a model"],
    ["no model", { version: "1.0" }, "tokenizer.json: expected an object with a model"],
    [
      "an unknown model",
      model({ type: "Mystery" }),
      "model.type: expected one of BPE, Unigram, WordPiece, found Mystery",
    ],
    ["no vocabulary", model({ vocab: null }), "model.vocab: expected an object"],
    ["an id that is none", model({ vocab: { a: -1 } }), 'model.vocab: expected an id for "a", found -1'],
    ["an id beyond all bounds", model({ vocab: { a: 1e12 } }), 'expected an id for "a"'],
    ["merges that are none", model({ merges: "a b" }), "model.merges: expected a list of pairs"],
    ["a merge that is no pair", model({ merges: ["a b", 7] }), "model.merges[1]: expected a pair of tokens"],
    ["an added token without text", { ...tokenizerJson, added_tokens: [{ id: 3 }] }, "added_tokens[0]: expected an id"],
    ["an unknown stage", { ...tokenizerJson, decoder: { type: "Mystery" } }, "Mystery"],
  ])("with %s are refused, naming file and place", (_, json, message) => {
    const load = () => loadTokenizer({ tokenizerJson: json })
    expect(load).toThrow(expect.objectContaining({ code: "invalid_file" }))
    expect(load).toThrow("tokenizer.json")
    expect(load).toThrow(message)
  })

  test("in the config are refused too", () => {
    const load = () => loadTokenizer({ tokenizerJson, tokenizerConfig: "eos" })
    expect(load).toThrow(expect.objectContaining({ code: "invalid_file" }))
    expect(load).toThrow("tokenizer_config.json: expected an object")
  })

  test("may lack the stages they don't use", () => {
    const { added_tokens: _, post_processor: __, normalizer: ___, ...rest } = tokenizerJson
    expect(loadTokenizer({ tokenizerJson: rest }).encode("Mira")).toEqual(
      loadTokenizer({ tokenizerJson }).encode("Mira"),
    )
  })
})
