import { describe, expect, test } from "bun:test"
import { type Features, featureNames } from "../../../src/answering/features.ts"
import { fitRouter, type Labelled, probabilityOf } from "../../../src/answering/router.ts"
import { rng } from "../../../src/core/rng.ts"

const features = (values: Partial<Features>): Features => ({
  ...(Object.fromEntries(featureNames.map((name) => [name, 0])) as unknown as Features),
  ...values,
})

/** Questions whose relevance says which way they go, but for a part of them. */
function examples(count: number, noise: number): Labelled[] {
  const random = rng(1, "examples")
  return Array.from({ length: count }, (_, i) => {
    const retrieve = i % 2 === 0
    const told = random.next() < noise ? !retrieve : retrieve
    return {
      retrieve,
      features: features({ relevance: (told ? 0.7 : 0.2) + 0.1 * random.next(), doubt: random.next() }),
    }
  })
}

describe("a router", () => {
  test("learns what tells the two apart, and how well it does", () => {
    const router = fitRouter(examples(200, 0))
    expect([router.precision, router.recall, router.examples]).toEqual([1, 1, 200])
    expect(probabilityOf(router, features({ relevance: 0.8 }))).toBeGreaterThan(router.threshold)
    expect(probabilityOf(router, features({ relevance: 0.2, doubt: 1 }))).toBeLessThan(router.threshold)
    expect(router.weights.relevance).toBeGreaterThan(5 * Math.abs(router.weights.doubt))
  })

  test("does not claim what it can't do", () => {
    const { precision, recall } = fitRouter(examples(400, 0.2))
    expect(precision).toBeGreaterThan(0.7)
    expect(precision).toBeLessThan(0.9)
    expect(recall).toBeLessThan(0.9)
  })

  test("its gradient is that of the loss: no weight can be moved for the better", () => {
    const all = examples(100, 0.1)
    const { bias, weights } = fitRouter(all)
    const loss = (model: { bias: number; weights: Record<keyof Features, number> }): number =>
      all.reduce((sum, { features, retrieve }) => {
        const p = probabilityOf(model, features)
        return sum - Math.log(retrieve ? p : 1 - p)
      }, 0) /
        all.length +
      (0.25 / all.length) * featureNames.reduce((sum, name) => sum + model.weights[name] ** 2, 0)
    const found = loss({ bias, weights })
    for (const name of featureNames)
      for (const step of [-0.3, 0.3])
        expect(loss({ bias, weights: { ...weights, [name]: weights[name] + step } })).toBeGreaterThan(found)
  })

  test("needs questions of both kinds", () => {
    expect(() => fitRouter(examples(12, 0))).toThrow(
      "at least 10 questions that need documents and 10 that don't but found 6 and 6",
    )
  })
})
