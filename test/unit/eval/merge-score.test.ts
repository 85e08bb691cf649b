import { describe, expect, test } from "bun:test"
import { readQuestions, searchWeights, weightGrid } from "../../../src/eval/merge-score.ts"

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text)

describe("readQuestions()", () => {
  const lines = [
    '{"prompt": "How many?", "completion": "3"}',
    '{"text": "Nothing is asked here."}',
    '{"messages": [{"role": "user", "content": "Who?"}, {"role": "assistant", "content": "Mira"}]}',
  ].join("\n")
  test("takes what asks something, in order", () => {
    expect(readQuestions("q.jsonl", bytes(lines)).map(({ answer }) => answer)).toEqual(["3", "Mira"])
    expect(readQuestions("q.jsonl", bytes(lines), 1).map(({ answer }) => answer)).toEqual(["3"])
  })
  test("refuses a file that asks nothing", () => {
    expect(() => readQuestions("q.jsonl", bytes('{"text": "x"}'))).toThrow("q.jsonl holds no question with an answer")
  })
})

describe("weightGrid()", () => {
  test("is every combination, few enough to try", () => {
    expect(weightGrid(1)).toContainEqual([1])
    expect(weightGrid(2)).toHaveLength(16)
    expect(weightGrid(2)).toContainEqual([0.25, 1])
    expect(weightGrid(3)).toHaveLength(27)
    expect(weightGrid(4)).toHaveLength(16)
  })
  test("refuses five", () => expect(() => weightGrid(5)).toThrow("up to four adapters, but there are 5"))
})

test("searchWeights() keeps the best mean, the first among equals", async () => {
  const means = [0.2, 0.7, 0.7, 0.1]
  let next = 0
  const { best, trials } = await searchWeights([[1], [2], [3], [4]], async () => {
    const mean = means[next++]!
    return { parts: [mean], mean }
  })
  expect(best).toEqual({ weights: [2], scores: { parts: [0.7], mean: 0.7 } })
  expect(trials.map(({ scores }) => scores.mean)).toEqual(means)
})
