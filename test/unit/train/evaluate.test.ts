import { expect, test } from "bun:test"
import { packedBatch } from "../../../src/data/pack.ts"
import { evaluate } from "../../../src/train/evaluate.ts"
import type { TrainStep } from "../../../src/train/step.ts"
import { toyStep } from "../../support/toy-step.ts"

/** A batch of one row that has `labelled` labelled positions. */
const batch = (labelled: number) => packedBatch(new Int32Array(labelled + 1), 1, labelled + 1)

/** A step whose loss per position is the number of positions, and that gets all of a batch right or nothing. */
const step: TrainStep = {
  ...toyStep(2),
  evaluate: async ({ labelled }) => ({ loss: labelled * labelled, labelled, correct: labelled > 1 ? labelled : 0 }),
}

test("evaluate() weighs every labelled token alike, not every batch", async () => {
  const { loss, tokenAccuracy, perplexity, labelled } = (await evaluate(step, [batch(3), batch(1)], 7))!
  expect(loss).toBe((9 + 1) / 4)
  expect(tokenAccuracy).toBe(3 / 4)
  expect(perplexity).toBe(Math.exp(2.5))
  expect(labelled).toBe(4)
})

test("evaluate() stops between batches", async () => {
  let calls = 0
  const counting: TrainStep = {
    ...step,
    evaluate(given) {
      calls++
      return step.evaluate(given)
    },
  }
  expect(await evaluate(counting, [batch(1), batch(1), batch(1)], 0, () => calls === 2)).toBeNull()
  expect(calls).toBe(2)
})
