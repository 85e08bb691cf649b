/**
 * @module Sampling against slow references that follow the definitions word by word.
 */
import { describe, expect, test } from "bun:test"
import fc from "fast-check"
import { rng } from "../../../src/core/rng.ts"
import {
  addBias,
  argmax,
  candidatesOf,
  createSampler,
  defaultSampling,
  draw,
  logprobsOf,
  penaliseCounts,
  penaliseRepetition,
} from "../../../src/serve/sampling.ts"
import { topIndices } from "../../../src/serve/top-indices.ts"

const logitsOf = (length: number, seed: number, spread = 3): Float32Array => {
  const random = rng(seed, "logits")
  return Float32Array.from({ length }, () => spread * random.normal())
}

/** Temperature, top-k, top-p and min-p by sorting everything, in the order that Hugging Face applies them. */
function referenceCandidates(
  logits: Float32Array,
  { temperature, topK, topP, minP }: { temperature: number; topK: number; topP: number; minP: number },
): Map<number, number> {
  const top = Math.max(...logits)
  let rows = Array.from(logits, (logit, id) => ({ id, p: Math.exp((logit - top) / temperature) }))
  const normalise = (): void => {
    const total = rows.reduce((sum, row) => sum + row.p, 0)
    rows = rows.map(({ id, p }) => ({ id, p: p / total }))
  }
  rows.sort((a, b) => b.p - a.p || a.id - b.id)
  if (topK > 0) rows = rows.slice(0, topK)
  normalise()
  if (topP < 1) {
    let mass = 0
    rows = rows.filter((row, place) => {
      const kept = place === 0 || mass < topP
      mass += row.p
      return kept
    })
    normalise()
  }
  rows = rows.filter((row) => row.p >= minP * rows[0]!.p)
  normalise()
  return new Map(rows.map(({ id, p }) => [id, p]))
}

describe("candidatesOf()", () => {
  test("agrees with sorting everything, for any mix of top-k, top-p and min-p", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 60 }),
        fc.integer(),
        fc.constantFrom(0.3, 0.7, 1, 1.8),
        fc.constantFrom(0, 1, 3, 20, 1000),
        fc.constantFrom(0, 0.1, 0.5, 0.93, 1),
        fc.constantFrom(0, 0.05, 0.4, 1),
        (length, seed, temperature, topK, topP, minP) => {
          const logits = logitsOf(length, seed)
          const options = { temperature, topK, topP, minP }
          const { ids, probabilities } = candidatesOf(logits, options)
          const reference = referenceCandidates(logits, options)
          expect(Array.from(ids).sort((a, b) => a - b)).toEqual([...reference.keys()].sort((a, b) => a - b))
          // Both are f64 sums over the same terms in another order.
          for (const [place, id] of Array.from(ids).entries())
            expect(probabilities[place]).toBeCloseTo(reference.get(id)!, 12)
        },
      ),
      { numRuns: 300 },
    )
  })

  test("keeps the lowest ids of equal logits", () => {
    const even = new Float32Array(6)
    expect(candidatesOf(even, { temperature: 1, topK: 2, topP: 1, minP: 0 }).ids).toEqual([0, 1])
    expect(candidatesOf(even, { temperature: 1, topK: 0, topP: 0.5, minP: 0 }).ids).toEqual([0, 1, 2])
  })

  test("agrees with sorting everything over a whole vocabulary, flat or steep", () => {
    for (const spread of [0.1, 1, 3, 20]) {
      const logits = logitsOf(20_000, spread, spread)
      const options = { temperature: 0.9, topK: 0, topP: 0.9, minP: 0 }
      const reference = referenceCandidates(logits, options)
      expect(new Set(Array.from(candidatesOf(logits, options).ids))).toEqual(new Set(reference.keys()))
    }
  })

  test("keeps one token when top-p is 0 or a logit is infinite", () => {
    const logits = Float32Array.of(1, 5, Number.NEGATIVE_INFINITY, 2)
    expect(candidatesOf(logits, { temperature: 1, topK: 0, topP: 0, minP: 0 }).ids).toEqual([1])
    const infinite = candidatesOf(Float32Array.of(1, Number.POSITIVE_INFINITY), {
      temperature: 1,
      topK: 0,
      topP: 1,
      minP: 0,
    })
    expect(Array.from(infinite.probabilities)).toEqual([0, 1])
  })
})

describe("draw()", () => {
  test("takes the candidate whose share of [0, 1) holds the number", () => {
    const candidates = { ids: [7, 3, 9], probabilities: [0.5, 0.25, 0.25] }
    expect([0, 0.49, 0.5, 0.74, 0.75, 0.999].map((u) => draw(candidates, u))).toEqual([7, 7, 3, 3, 9, 9])
  })

  test("never takes a candidate of probability 0, at either end", () => {
    const candidates = { ids: [1, 2, 3], probabilities: [0, 0.9999999, 0] }
    expect([0, 0.5, 0.99999999].map((u) => draw(candidates, u))).toEqual([2, 2, 2])
  })

  test("draws as often as the probabilities say", () => {
    const logits = Float32Array.of(Math.log(1), Math.log(2), Math.log(5))
    const sampler = createSampler({ ...defaultSampling, seed: 5 }, [])
    const counts = [0, 0, 0]
    for (let i = 0; i < 8000; i++) counts[sampler.next(logits)]!++
    // Shares of 1/8, 2/8 and 5/8 have standard deviations of 30, 39 and 43 in 8,000 draws: four of them is the bound.
    expect(Math.abs(counts[0]! - 1000)).toBeLessThan(120)
    expect(Math.abs(counts[1]! - 2000)).toBeLessThan(156)
    expect(Math.abs(counts[2]! - 5000)).toBeLessThan(172)
  })
})

describe("argmax()", () => {
  test("takes the lowest of equal logits, and passes over NaN", () => {
    expect(argmax(Float32Array.of(1, 4, 4, 2))).toBe(1)
    expect(argmax(Float32Array.of(Number.NaN, 1, 0))).toBe(1)
    expect(argmax(Float32Array.of(Number.NEGATIVE_INFINITY, Number.NEGATIVE_INFINITY))).toBe(0)
  })

  test("refuses logits that are all NaN", () => {
    expect(() => argmax(Float32Array.of(Number.NaN, Number.NaN))).toThrow("all of them are NaN")
  })
})

describe("penalties", () => {
  test("penaliseRepetition() divides what is positive and multiplies what is not", () => {
    const logits = Float32Array.of(2, -2, 0, 3)
    penaliseRepetition(logits, new Set([0, 1, 2]), 2)
    expect([...logits]).toEqual([1, -4, 0, 3])
  })

  test("penaliseCounts() subtracts once for presence and once for every time", () => {
    const logits = Float32Array.of(5, 5, 5)
    penaliseCounts(
      logits,
      new Map([
        [1, 1],
        [2, 3],
      ]),
      0.5,
      0.25,
    )
    expect([...logits]).toEqual([5, 4.25, 3.75])
  })

  test("addBias() adds, and refuses ids that the vocabulary does not have", () => {
    const logits = Float32Array.of(1, 2)
    addBias(logits, [[1, -100]])
    expect([...logits]).toEqual([1, -98])
    expect(() => addBias(logits, [[2, 1]])).toThrow(RangeError)
    expect(() => addBias(logits, [[-1, 1]])).toThrow(RangeError)
  })

  test("a sampler looks at prompt and completion for repetition, at the completion alone for presence", () => {
    const logits = Float32Array.of(3, 2.9, 2.8)
    const greedy = { ...defaultSampling, temperature: 0 }
    const repetition = createSampler({ ...greedy, repetitionPenalty: 2 }, [0])
    expect([repetition.next(logits), repetition.next(logits), repetition.next(logits)]).toEqual([1, 2, 0])
    const presence = createSampler({ ...greedy, presencePenalty: 1 }, [0])
    expect([presence.next(logits), presence.next(logits), presence.next(logits)]).toEqual([0, 1, 2])
    const frequency = createSampler({ ...greedy, frequencyPenalty: 0.15 }, [])
    expect([frequency.next(logits), frequency.next(logits), frequency.next(logits)]).toEqual([0, 1, 0])
    expect([...logits]).toEqual([...Float32Array.of(3, 2.9, 2.8)])
  })
})

describe("createSampler()", () => {
  test("gives equal tokens for equal seeds and others for others", () => {
    const logits = logitsOf(200, 1, 0.5)
    const run = (seed: number): number[] => {
      const sampler = createSampler({ ...defaultSampling, seed, topK: 50 }, [])
      return Array.from({ length: 40 }, () => sampler.next(logits))
    }
    expect(run(11)).toEqual(run(11))
    expect(run(11)).not.toEqual(run(12))
  })

  test("is greedy at temperature 0, whatever the filters say", () => {
    const logits = logitsOf(500, 3)
    const sampler = createSampler({ ...defaultSampling, temperature: 0, topK: 7, topP: 0.3 }, [])
    expect(sampler.next(logits)).toBe(logits.indexOf(Math.max(...logits)))
  })
})

describe("logprobsOf()", () => {
  test("is the log-softmax of the raw logits, likeliest first", () => {
    const logits = logitsOf(300, 9)
    const total = Math.log(logits.reduce((sum, logit) => sum + Math.exp(logit), 0))
    const { logprob, top } = logprobsOf(logits, 17, 5)
    // The reference does not shift by the largest logit; both are f64.
    expect(logprob).toBeCloseTo(logits[17]! - total, 10)
    const order = Array.from(logits.keys()).sort((a, b) => logits[b]! - logits[a]!)
    expect(top.map(({ id }) => id)).toEqual(order.slice(0, 5))
    for (const { id, logprob } of top) expect(logprob).toBeCloseTo(logits[id]! - total, 10)
  })
})

describe("topIndices()", () => {
  test("agrees with a full sort, ties by the lower index, NaN left out", () => {
    const value = fc.constantFrom(0, 1, 2, 2.5, -1, Number.NaN, Number.NEGATIVE_INFINITY)
    fc.assert(
      fc.property(fc.array(value, { maxLength: 40 }), fc.integer({ min: 0, max: 50 }), (values, count) => {
        const sorted = [...values.keys()]
          .filter((i) => !Number.isNaN(values[i]))
          .sort((a, b) => (values[a] === values[b] ? a - b : values[b]! - values[a]!))
        expect(topIndices(values, count)).toEqual(sorted.slice(0, count))
      }),
    )
  })

  test("agrees with a full sort when it takes many", () => {
    const values = logitsOf(5000, 4)
    const sorted = [...values.keys()].sort((a, b) => values[b]! - values[a]! || a - b)
    expect(topIndices(values, 2000)).toEqual(sorted.slice(0, 2000))
    expect(topIndices(values, 900)).toEqual(sorted.slice(0, 900))
  })
})
