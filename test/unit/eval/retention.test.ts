import { describe, expect, test } from "bun:test"
import { compareRetention, retentionLines, retentionSet } from "../../../src/eval/retention.ts"
import type { SuiteScores } from "../../../src/eval/score-suite.ts"
import type { Suite, SuiteItem } from "../../../src/eval/suite.ts"

const question = (family: string, line: number): SuiteItem => ({
  family,
  line,
  messages: [{ role: "user", content: `${line}?` }],
  answers: ["a"],
})
const text = (line: number): SuiteItem => ({ family: "text", line, text: `Text ${line}.` })
/** Ten colours, two sums and eight texts. */
const suite: Suite = {
  name: "mine",
  hash: "ab",
  items: [
    ...Array.from({ length: 10 }, (_, i) => question("colour", i + 1)),
    ...Array.from({ length: 8 }, (_, i) => text(i + 11)),
    question("sum", 19),
    question("sum", 20),
  ],
}
const lines = (items: readonly SuiteItem[]): number[] => items.map(({ line }) => line)

describe("retentionSet()", () => {
  test("takes families in turn, a fourth of it texts, in the suite's order", () => {
    const set = retentionSet(suite, { items: 8 })
    expect(lines(set.items)).toEqual([1, 2, 3, 4, 11, 12, 19, 20])
    expect(set).toMatchObject({ suite: "mine", sha256: "ab", questions: 6, texts: 2 })
  })

  test("takes more of the one where the other runs out", () => {
    expect(retentionSet(suite, { items: 19 })).toMatchObject({ questions: 12, texts: 7 })
    expect(retentionSet(suite, { items: 500 })).toMatchObject({ questions: 12, texts: 8 })
    expect(retentionSet({ ...suite, items: suite.items.slice(0, 10) }, { items: 8 })).toMatchObject({
      questions: 8,
      texts: 0,
    })
  })

  test("takes texts alone where the questions are another base's", () => {
    expect(lines(retentionSet(suite, { items: 3, textsOnly: true }).items)).toEqual([11, 12, 13])
  })

  test("refuses a number that is none", () => {
    for (const items of [0, 1.5, -3]) expect(() => retentionSet(suite, { items })).toThrow(RangeError)
  })
})

/** Scores of two families and of texts. */
function scores(colour: number, sum: number, loss: number): SuiteScores {
  const family = (name: string, exact: number) => ({
    ...{ family: name, items: 4, exact, abstained: 0, unanswerable: false, unfit: 0 },
  })
  const all = { families: 2, exact: (colour + sum) / 2, abstained: 0 }
  return {
    families: [family("colour", colour), family("sum", sum)],
    mean: { all, answerable: all, unanswerable: null },
    text: { texts: 2, tokens: 9, loss, perplexity: Math.exp(loss) },
  }
}

describe("compareRetention()", () => {
  test("says by how many points the mean over families has fallen", () => {
    const kept = compareRetention(scores(1, 0.5, 2), scores(0.5, 0.75, 2.25))
    expect(kept.forgotten).toBeCloseTo(12.5, 10)
    expect(kept.score).toEqual({ before: 0.75, after: 0.625 })
    expect(kept.loss).toEqual({ before: 2, after: 2.25 })
  })

  test("is below zero where more is right than before, and zero where nothing has changed", () => {
    expect(compareRetention(scores(0.5, 0.5, 2), scores(0.5, 0.75, 2)).forgotten).toBeCloseTo(-12.5, 10)
    expect(compareRetention(scores(0.5, 0.5, 2), scores(0.5, 0.5, 2)).forgotten).toBe(0)
  })

  test("has no score without questions", () => {
    const none = { ...scores(0, 0, 2), families: [], mean: { all: null, answerable: null, unanswerable: null } }
    expect(compareRetention(none, none)).toMatchObject({ score: null, forgotten: null, loss: { before: 2, after: 2 } })
  })
})

test("retentionLines() shows the families that changed, the worst first", () => {
  const shown = retentionLines(
    compareRetention(scores(1, 0.5, 2), scores(0.5, 0.75, 2.25)),
    retentionSet(suite, { items: 8 }),
  )
  expect(shown).toEqual([
    "Retention (6 questions and 2 texts of mine)      before     after    change",
    "  questions answered right                       75.0 %    62.5 %     -12.5",
    "    colour                                      100.0 %    50.0 %     -50.0",
    "    sum                                          50.0 %    75.0 %     +25.0",
    "  loss of texts                                  2.0000    2.2500   +0.2500",
  ])
})
