import { describe, expect, test } from "bun:test"
import { totalSteps, warmupSteps, withDefaults } from "../../../src/train/config.ts"

const full = (settings: Partial<Parameters<typeof withDefaults>[0]> = {}) =>
  withDefaults({ learningRate: 1e-3, ...settings })

test("totalSteps() is whichever of epochs and maxSteps ends first", () => {
  expect(totalSteps(full({ epochs: 3 }), 10)).toBe(30)
  expect(totalSteps(full({ epochs: 0.25 }), 10)).toBe(3)
  expect(totalSteps(full({ epochs: 3, maxSteps: 7 }), 10)).toBe(7)
  expect(totalSteps(full({ epochs: 3, maxSteps: 70 }), 10)).toBe(30)
  expect(totalSteps(full({ maxSteps: 7 }), null)).toBe(7)
  expect(() => totalSteps(full(), null)).toThrow("Expected maxSteps")
})

test("warmupSteps() reads numbers below 1 as a part of the run", () => {
  expect(warmupSteps(0.03, 100)).toBe(3)
  expect(warmupSteps(0.03, 101)).toBe(4)
  expect(warmupSteps(0, 100)).toBe(0)
  expect(warmupSteps(10, 100)).toBe(10)
})

describe("withDefaults()", () => {
  test("keeps what is given", () => {
    expect(full({ betas: [0.8, 0.9], maxGradNorm: null })).toMatchObject({
      betas: [0.8, 0.9],
      maxGradNorm: null,
      epochs: 3,
    })
  })

  const wrong = [
    [{ epochs: 0 }, "epochs"],
    [{ learningRate: -1 }, "learningRate"],
    [{ learningRate: Number.POSITIVE_INFINITY }, "learningRate"],
    [{ betas: [0.9, 1] }, "betas"],
    [{ eps: 0 }, "eps"],
    [{ maxGradNorm: 0 }, "maxGradNorm"],
    [{ evaluateEvery: 0.5 }, "evaluateEvery"],
    [{ checkpointEvery: 0 }, "checkpointEvery"],
    [{ rateFloor: 2 }, "rateFloor"],
    [{ seed: 0.5 }, "seed"],
  ] as const
  for (const [settings, name] of wrong) {
    test(`refuses ${JSON.stringify(settings)} by name`, () => {
      expect(() => full(settings)).toThrow(`Expected ${name} to be`)
    })
  }
})
