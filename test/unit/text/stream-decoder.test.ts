import { describe, expect, test } from "bun:test"
import fc from "fast-check"
import { createStreamDecoder } from "../../../src/text/stream-decoder.ts"
import { loadTokenizer } from "../../../src/text/tokenizer.ts"
import type { Tokenizer } from "../../../src/text/tokenizer-contract.ts"
import digits from "../../fixtures/text/digits.json"
import gpt2 from "../../fixtures/text/gpt2.json"
import llama2 from "../../fixtures/text/llama2.json"
import llama3 from "../../fixtures/text/llama3.json"
import { fakeTokenizer } from "../../support/fake-tokenizer.ts"

/** What a stream shows, piece by piece; the last piece is what the end brings. */
function stream(tokenizer: Tokenizer, ids: readonly number[]): string[] {
  const decoder = createStreamDecoder(tokenizer)
  return [...ids.map((id) => decoder.push(id)), decoder.flush()]
}

describe.each(Object.entries({ digits, gpt2, llama3, llama2 }))("a stream of the %s layout", (name, layout) => {
  const tokenizer = loadTokenizer(layout)

  test("is the decoded text of hard texts", () => {
    for (const { plain } of layout.cases) expect(stream(tokenizer, plain).join("")).toBe(tokenizer.decode(plain))
  })

  test("is the decoded text of any text, and shows nothing that later changes", () => {
    fc.assert(
      fc.property(fc.string({ unit: "grapheme", maxLength: 30 }), (text) => {
        const ids = tokenizer.encode(text, { parseSpecial: false })
        const pieces = stream(tokenizer, ids)
        const whole = tokenizer.decode(ids)
        expect(pieces.join("")).toBe(whole)
        // Every prefix shown is a prefix of the whole and of whole characters.
        let shown = ""
        for (const piece of pieces) {
          shown += piece
          expect(whole.startsWith(shown)).toBe(true)
          expect(shown).not.toMatch(/\p{Surrogate}/u)
        }
      }),
    )
  })

  test("gives every whole word as soon as its token is there", () => {
    const ids = tokenizer.encode("The sky is blue.")
    const pieces = stream(tokenizer, ids)
    expect(pieces.slice(0, -1).every((piece) => piece !== "")).toBe(true)
    expect(pieces.at(-1)).toBe("")
  })

  test("holds an emoji back until its last byte", () => {
    const ids = tokenizer.encode("🌱")
    const pieces = stream(tokenizer, ids)
    expect(pieces.filter((piece) => piece !== "")).toEqual(["🌱"])
    expect(pieces.indexOf("🌱")).toBe(ids.length - 1)
  })

  test("shows an unfinished character as U+FFFD at the end, and only then", () => {
    const ids = tokenizer.encode("a🌱").slice(0, -1)
    const pieces = stream(tokenizer, ids)
    expect(pieces.slice(0, -1).join("")).toBe("a")
    expect(pieces.at(-1)).toMatch(/^\uFFFD+$/)
  })

  if (name !== "llama2") {
    test("is the decoded text of any ids, special ones and broken characters among them", () => {
      const id = fc.integer({ min: 0, max: tokenizer.vocabSize - 1 })
      fc.assert(
        fc.property(fc.array(id, { maxLength: 20 }), (ids) => {
          expect(stream(tokenizer, ids).join("")).toBe(tokenizer.decode(ids))
        }),
      )
    })
  }
})

test("a tokenizer that doesn't say how it decodes is streamed by difference", () => {
  fc.assert(
    fc.property(fc.string({ unit: "grapheme", maxLength: 20 }), (text) => {
      const ids = fakeTokenizer.encode(text)
      expect(stream(fakeTokenizer, ids).join("")).toBe(fakeTokenizer.decode(ids))
    }),
  )
})

describe.each(Object.entries({ gpt2, llama2, llama3 }))("a stream that goes on with a text, by %s", (_, layout) => {
  const tokenizer = loadTokenizer(layout)
  const whole = tokenizer.encode("Once upon a time, the tower of Talon was blue.")

  test("is the rest of that text, with the blank that parts it, wherever it is cut", () => {
    for (let cut = 1; cut < whole.length; cut++) {
      const [before, after] = [whole.slice(0, cut), whole.slice(cut)]
      const decoder = createStreamDecoder(tokenizer, before)
      const text = [...after.map((id) => decoder.push(id)), decoder.flush()].join("")
      expect(tokenizer.decode(before) + text).toBe(tokenizer.decode(whole))
    }
  })

  test("shows no half of a character where the cut is inside one", () => {
    const ids = tokenizer.encode("a🌱 bc")
    for (let cut = 1; cut < ids.length; cut++) {
      const decoder = createStreamDecoder(tokenizer, ids.slice(0, cut))
      const text = [...ids.slice(cut).map((id) => decoder.push(id)), decoder.flush()].join("")
      expect(text).not.toMatch(/\p{Surrogate}/u)
      expect(text).toEndWith("c")
    }
  })

  test("is a text of its own without one", () => {
    const answer = tokenizer.encode("Once upon")
    expect(stream(tokenizer, answer).join("")).toBe("Once upon")
  })
})
