import { expect, test } from "bun:test"
import { curveEvery, joinedCurves, readCurve } from "../../../scripts/base/curve.ts"
import type { StepEnd } from "../../../src/train/events.ts"

const update = (step: number, loss: number): StepEnd => ({
  type: "step-end",
  step,
  steps: 2000,
  epoch: 0,
  loss,
  learningRate: 1,
  gradNorm: 1,
  tokens: 1,
  positions: 1,
  tokensSeen: 1,
  durationMs: 1,
})

test("the first 300 losses are kept, and then one of each few", () => {
  const point = curveEvery(2000)
  expect(point(update(1, 7.62461889))).toEqual({ step: 1, loss: 7.624619 })
  expect(point(update(299, 3))).toEqual({ step: 299, loss: 3 })
  expect(point(update(301, 3))).toBeNull()
  expect(point(update(304, 3))).toEqual({ step: 304, loss: 3 })
})

test("of a step that a resumed run made again, the last point counts; an evaluation stays beside it", () => {
  const text = [
    { step: 100, loss: 3 },
    { step: 101, loss: 2.9 },
    { step: 100, heldout: 3.1, tokenAccuracy: 0.4 },
    { step: 101, loss: 2.8 },
  ]
    .map((point) => JSON.stringify(point))
    .join("\n")
  expect(readCurve(`${text}\n`)).toEqual([
    { step: 100, loss: 3 },
    { step: 100, heldout: 3.1, tokenAccuracy: 0.4 },
    { step: 101, loss: 2.8 },
  ])
})

test("a run that went on from another's end has its curve behind that one's", () => {
  const before = [
    { step: 1, loss: 3 },
    { step: 28000, loss: 1 },
  ]
  expect(joinedCurves(before, [{ step: 250, heldout: 1.2, tokenAccuracy: 0.7 }])).toEqual([
    ...before,
    { step: 28250, heldout: 1.2, tokenAccuracy: 0.7 },
  ])
  expect(joinedCurves([], before)).toEqual(before)
})
