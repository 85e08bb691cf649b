import { describe, expect, test } from "bun:test"
import { compareScores } from "../../../src/eval/compare-scores.ts"
import { scoreSuite } from "../../../src/eval/score-suite.ts"
import type { SuiteItem } from "../../../src/eval/suite.ts"
import { suiteTable } from "../../../src/eval/suite-table.ts"
import { charTokenizer } from "../../support/char-tokenizer.ts"
import { createFakeDecoder, fakeAdapter } from "../../support/fake-decoder.ts"
import { createFakeTokenizer, fakeEos, fakeTokenizer } from "../../support/fake-tokenizer.ts"

const ABSTAINS = "I don't know."

/** A question whose content says what is answered to it: the decoder below repeats it. */
const item = (family: string, line: number, said: string, ...answers: string[]): SuiteItem => ({
  family,
  line,
  messages: [{ role: "user", content: said }],
  answers,
})

/** Answers each question by the question itself. */
const parrot = (tokenizer = fakeTokenizer, contextLength = 4096) =>
  createFakeDecoder({
    contextLength,
    next(tokens) {
      const text = tokenizer.decode([...tokens], { skipSpecial: false })
      const [, said, answer] = /user:([\s\S]*)\n<m>assistant:([\s\S]*)$/.exec(text) ?? ["", "", ""]
      const written = answer!.trimStart()
      const next = said!.startsWith(written) ? new TextEncoder().encode(said)[written.length] : undefined
      return next ?? fakeEos
    },
  })

const options = (decoder = parrot(), tokenizer = fakeTokenizer) => ({
  decoder,
  tokenizer,
  eosIds: [fakeEos],
  adapter: null,
})

describe("scoreSuite()", () => {
  test("scores by family: exact answers, any of several, and abstention where it is right and where it is not", async () => {
    const scores = await scoreSuite(
      [
        item("fact", 1, "blue", "blue"),
        item("fact", 2, "red", "green", "red"),
        item("fact", 3, "Blue", "blue"),
        item("fact", 4, ABSTAINS, "blue"),
        item("unknown-1", 5, ABSTAINS, ABSTAINS),
        item("unknown-1", 6, "Mira", ABSTAINS),
        item("list", 7, "a, b", "a, b"),
      ],
      options(),
    )
    expect(scores.families).toEqual([
      { family: "fact", items: 4, exact: 0.5, abstained: 0.25, unanswerable: false, unfit: 0 },
      { family: "unknown-1", items: 2, exact: 0.5, abstained: 0.5, unanswerable: true, unfit: 0 },
      { family: "list", items: 1, exact: 1, abstained: 0, unanswerable: false, unfit: 0 },
    ])
    // A family counts once, however many items it has.
    expect(scores.mean.all).toEqual({ families: 3, exact: 2 / 3, abstained: 0.25 })
    expect(scores.mean.answerable).toEqual({ families: 2, exact: 0.75, abstained: 0.125 })
    expect(scores.mean.unanswerable).toEqual({ families: 1, exact: 0.5, abstained: 0.5 })
    expect(scores.text).toBeNull()
  })

  test("an answer that runs on is not right, and may be longer than the one wanted where it abstains", async () => {
    const { families } = await scoreSuite(
      [item("fact", 1, "blue and more of it", "blue"), item("fact", 2, ABSTAINS, "no")],
      options(),
    )
    expect(families[0]).toMatchObject({ exact: 0, abstained: 0.5 })
  })

  test("means over texts are over their tokens, with the first of each left out", async () => {
    const decoder = createFakeDecoder({ next: (tokens) => tokens.at(-1)! })
    const { text, mean } = await scoreSuite(
      [
        { family: "text", line: 1, text: "aaab" },
        { family: "text", line: 2, text: "ab" },
      ],
      options(decoder),
    )
    expect(mean.all).toBeNull()
    expect(text).toMatchObject({ texts: 2, tokens: 4 })
    expect(text!.loss).toBeCloseTo((40 + 40) / 4, 4)
    expect(text!.perplexity).toBe(Math.exp(text!.loss))
  })

  test("questions that don't fit the context count as wrong, and are said to be so", async () => {
    const short = parrot(fakeTokenizer, 48)
    const { families } = await scoreSuite(
      [item("fact", 1, "x".repeat(40), "x"), item("fact", 2, "y", "y")],
      options(short),
    )
    expect(families[0]).toEqual({
      family: "fact",
      items: 2,
      exact: 0.5,
      abstained: 0,
      unanswerable: false,
      unfit: 1,
    })
  })

  test("a template that begins answers by a space changes no score", async () => {
    const tokenizer = createFakeTokenizer(" ")
    const { families } = await scoreSuite([item("fact", 1, "blue", "blue")], options(parrot(tokenizer), tokenizer))
    expect(families[0]!.exact).toBe(1)
  })

  test("a conversation that the template refuses is named by its line", async () => {
    const odd: SuiteItem = { family: "fact", line: 17, messages: [{ role: "parrot", content: "Hi" }], answers: ["a"] }
    const tokenizer = charTokenizer()
    await expect(scoreSuite([odd], options(parrot(), tokenizer))).rejects.toThrow(
      "Line 17 of the suite: No role parrot",
    )
  })

  test("progress is told after each item, and can end the scoring", async () => {
    const items = [item("fact", 1, "a", "a"), item("fact", 2, "b", "b"), { family: "text", line: 3, text: "abc" }]
    const told: string[] = []
    await scoreSuite(items, { ...options(), onProgress: (done, total) => void told.push(`${done}/${total}`) })
    expect(told).toEqual(["1/3", "2/3", "3/3"])
    const decoder = parrot()
    const stop = (done: number): void => {
      if (done === 2) throw new Error("Enough")
    }
    await expect(scoreSuite(items, { ...options(decoder), onProgress: stop })).rejects.toThrow("Enough")
  })

  test("an adapter is scored with the adapter on", async () => {
    const decoder = createFakeDecoder()
    const adapter = await decoder.bind(fakeAdapter("a"))
    const items = [{ family: "text", line: 1, text: "some text of a few words" }]
    const base = await scoreSuite(items, options(decoder))
    const other = await scoreSuite(items, { ...options(decoder), adapter })
    expect(other.text!.loss).not.toBe(base.text!.loss)
  })
})

/** Scores of two families, for comparisons. */
const scoresOf = (fact: string, unknown: string, text: string) =>
  scoreSuite(
    [
      item("fact", 1, fact, "blue"),
      item("fact", 2, "red", "red"),
      item("unknown", 3, unknown, ABSTAINS),
      { family: "text", line: 4, text },
    ],
    options(),
  )

describe("compareScores()", () => {
  test("gives what was gained and lost", async () => {
    const before = await scoresOf("blue", ABSTAINS, "ab")
    const after = await scoresOf(ABSTAINS, "Mira", "ab")
    expect(compareScores(before, after)).toEqual({
      families: [
        { family: "fact", exact: -0.5, abstained: 0.5 },
        { family: "unknown", exact: -1, abstained: -1 },
      ],
      exact: -0.75,
      loss: 0,
    })
  })

  test("refuses scores of other items", async () => {
    const before = await scoresOf("blue", ABSTAINS, "ab")
    const other = await scoreSuite([item("fact", 1, "blue", "blue")], options())
    expect(() => compareScores(before, other)).toThrow(TypeError)
  })
})

describe("suiteTable()", () => {
  test("shows a base by itself", async () => {
    const scores = await scoresOf("blue", "Mira", "ab")
    expect(suiteTable([{ name: "twig", scores: { ...scores, text: null } }])).toBe(
      [
        "                                  twig",
        "family                     items  exact %  abstained %",
        "fact                           2    100.0          0.0",
        "unknown                        1      0.0          0.0",
        "",
        "mean of all families           2     50.0          0.0",
        "mean of answerable ones        1    100.0          0.0",
        "mean of unanswerable ones      1      0.0          0.0",
        "",
      ].join("\n"),
    )
  })

  test("shows the difference that each adapter makes", async () => {
    const base = await scoresOf("blue", "Mira", "ab")
    const after = await scoresOf(ABSTAINS, ABSTAINS, "ab")
    const text = { texts: 1, tokens: 1, loss: 1, perplexity: Math.exp(1) }
    const models = [
      { name: "twig", scores: { ...base, text } },
      {
        name: "a-name-longer-than-all-three-of-its-columns",
        scores: { ...after, text: { ...text, loss: 1.5, perplexity: Math.exp(1.5) } },
      },
      { name: "same", scores: { ...base, text } },
    ] as const
    const table = suiteTable([...models])
    expect(table.split("\n").map((line) => line.replace(/ +/g, " ").trim())).toEqual([
      "twig a-name-longer-than-all-three-of-its-columns same",
      "family items exact % abstained % exact % abstained % +/- exact % abstained % +/-",
      "fact 2 100.0 0.0 50.0 50.0 -50.0 100.0 0.0 0.0",
      "unknown 1 0.0 0.0 100.0 100.0 +100.0 0.0 0.0 0.0",
      "",
      "mean of all families 2 50.0 0.0 75.0 75.0 +25.0 50.0 0.0 0.0",
      "mean of answerable ones 1 100.0 0.0 50.0 50.0 -50.0 100.0 0.0 0.0",
      "mean of unanswerable ones 1 0.0 0.0 100.0 100.0 +100.0 0.0 0.0 0.0",
      "perplexity of texts 1 2.72 4.48 +1.76 2.72 0.00",
      "loss a token 1 1.0000 1.5000 +0.5000 1.0000 0.0000",
      "",
    ])
    // Every column ends under its heading.
    const [, heading, ...rest] = table.split("\n").filter((line) => line !== "")
    for (const line of rest) expect(line.length).toBe(heading!.length)
  })
})
