import { describe, expect, test } from "bun:test"
import fc from "fast-check"
import { type Chunk, chunkText } from "../../../src/rag/chunk.ts"

/** Tokens as words and marks. */
const count = (text: string): number => text.match(/\w+|[^\w\s]/g)?.length ?? 0
const textsOf = (text: string, chunks: readonly Chunk[]): string[] =>
  chunks.map(({ start, end }) => text.slice(start, end))

describe("chunks", () => {
  test("a short text is one piece", () => {
    expect(chunkText("Mira Voss lives in Tal.", { count })).toEqual([{ start: 0, end: 23, headings: [] }])
  })

  test("sentences stay whole, and a piece begins with the end of the one before", () => {
    const text = Array.from({ length: 12 }, (_, i) => `Sentence number ${i} stands here.`).join(" ")
    const chunks = chunkText(text, { tokens: 20, overlap: 6, count })
    const pieces = textsOf(text, chunks)
    expect(pieces[0]).toBe(
      "Sentence number 0 stands here. Sentence number 1 stands here. Sentence number 2 stands here. ",
    )
    expect(pieces[1]!.startsWith("Sentence number 2 stands here. Sentence number 3")).toBe(true)
    for (const piece of pieces) expect(count(piece)).toBeLessThanOrEqual(20)
  })

  test("a heading begins a piece, and pieces know the headings above them", () => {
    const text =
      "Before all.\n\n# Rivers\nThe Ost is long.\n\n## North\nThe Fen is short.\n# Hills\nMount Ard is high.\n"
    const chunks = chunkText(text, { tokens: 30, overlap: 0, count })
    expect(textsOf(text, chunks)).toEqual([
      "Before all.\n\n",
      "# Rivers\nThe Ost is long.\n\n",
      "## North\nThe Fen is short.\n",
      "# Hills\nMount Ard is high.\n",
    ])
    expect(chunks.map(({ headings }) => headings)).toEqual([[], ["Rivers"], ["Rivers", "North"], ["Hills"]])
  })

  test("what has no sentences is cut between words, and what has no words between characters", () => {
    const words = chunkText("word ".repeat(100), { tokens: 10, overlap: 0, count })
    expect(words.length).toBeGreaterThanOrEqual(10)
    const single = chunkText("😀".repeat(100), { tokens: 10, overlap: 0, count: (text) => [...text].length })
    expect(textsOf("😀".repeat(100), single).every((piece) => /^(😀)+$/u.test(piece))).toBe(true)
  })

  test("no text is lost, whatever it is", () => {
    const texts = fc.string({
      unit: fc.constantFrom("a", "b ", ". ", "\n", "\n\n", "# ", "\n## x\n", "é", "😀"),
      maxLength: 200,
    })
    fc.assert(
      fc.property(texts, fc.integer({ min: 8, max: 40 }), (text, tokens) => {
        const chunks = chunkText(text, { tokens, overlap: Math.floor(tokens / 4), count })
        let covered = 0
        for (const { start, end } of chunks) {
          if (start > covered || end <= covered) return false
          covered = end
        }
        return covered === text.length && textsOf(text, chunks).every((piece) => count(piece) <= tokens)
      }),
    )
  })

  test("sizes that make no sense are refused", () => {
    expect(() => chunkText("a", { tokens: 4, count })).toThrow("at least 8 tokens but found 4")
    expect(() => chunkText("a", { tokens: 40, overlap: 30, count })).toThrow(
      "an overlap of 0 to 20 tokens but found 30",
    )
  })
})
