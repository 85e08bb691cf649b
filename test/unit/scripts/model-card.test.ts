import { expect, test } from "bun:test"
import { type BaseFacts, continuedCard, modelCard } from "../../../scripts/base/model-card.ts"

const facts: BaseFacts = {
  seed: 1,
  steps: [16000, 24000],
  mean: [0.3, 0.7],
  rows: 8,
  length: 256,
  learningRate: 0.003,
  parameters: 2_755_008,
  tokens: 48_000_000,
  learned: "fading",
  engine: "an engine",
  heldoutLoss: 1.4,
}

test("a base that goes on keeps how it was made and loses its scores", () => {
  const scored = modelCard(facts).replace("- Scored by", "- Scored by x\n\n| right | 95 % |\n\n- Scored by")
  const card = continuedCard(scored, {
    ...facts,
    seed: 2,
    steps: [5000],
    mean: [1],
    tokens: 10_000_000,
    heldoutLoss: null,
  })
  expect(card).toContain("--steps 16000,24000 --mean 0.3,0.7")
  expect(card).toContain(
    "--from <the base so far> --steps 5000 --mean 1 --rows 8 --length 256 --learning-rate 0.003 --seed 2",
  )
  expect(card).toContain("Loss on held-out documents then: not measured.")
  expect(card).not.toContain("95 %")
  expect(card.endsWith("Licence: MIT.\n")).toBe(true)
})

test("a base that goes on says how much of itself is left", () => {
  const card = continuedCard(modelCard(facts), { ...facts, steps: [5000], mean: [0.3, 0.7] })
  expect(card).toContain("the mean of 30 % of the base so far and 70 % of those at step 5,000")
  expect(continuedCard(modelCard(facts), { ...facts, steps: [5000], mean: [1] })).not.toContain("Weights then")
})

test("a text that is no card is refused", () => {
  expect(() => continuedCard("# another", facts)).toThrow(SyntaxError)
})
