import { describe, expect, test } from "bun:test"
import { rng } from "../../../src/core/rng.ts"
import { combine, keepLargest, type Part, slerpWeights } from "../../../src/merge/combine.ts"
// torch 2.13 and PEFT 0.21 in f64: `torch.manual_seed(7)`, three normal tensors [4, 6] rounded to thousandths, the first row
// of the second zeroed; `ties` and `magnitude_prune` of peft.utils.merge_utils over them, at four densities.
import oracle from "../../fixtures/merge/peft-elementwise.json"

const parts = (values: readonly (readonly number[])[], weights: readonly number[], seed = 0): Part[] =>
  values.map((each, i) => ({ values: Float64Array.from(each), weight: weights[i]!, random: rng(seed, `part ${i}`) }))

describe("keepLargest()", () => {
  test("keeps the floor of the part, by magnitude, and among equals the first", () => {
    expect([...keepLargest(Float64Array.from([1, -3, 2, -2, 2]), 0.5)]).toEqual([0, -3, 2, 0, 0])
    expect([...keepLargest(Float64Array.from([1, -3, 2]), 0.2)]).toEqual([0, 0, 0])
    expect([...keepLargest(Float64Array.from([1, -3, 2]), 1)]).toEqual([1, -3, 2])
  })
  test("keeps what sorting would keep, with many equal ones and with none", () => {
    for (const [seed, step] of [0, 0.5, 3].entries()) {
      const draw = rng(seed, "values")
      const values = Float64Array.from({ length: 501 }, () => {
        const x = draw.normal()
        return step === 0 ? x : Math.round(x / step) * step
      })
      for (const density of [0.01, 0.3, 0.5, 0.99]) {
        const order = [...values.keys()].sort((i, j) => Math.abs(values[j]!) - Math.abs(values[i]!) || i - j)
        const kept = new Set(order.slice(0, Math.floor(density * values.length)))
        expect(keepLargest(values, density)).toEqual(values.map((x, i) => (kept.has(i) ? x : 0)))
      }
    }
  })
})

describe("combine() by TIES", () => {
  test("drops small parts, elects signs and averages those that agree, worked by hand", () => {
    // Half of each: [4, 0, -3, 0] and [0, 2, 5, 0]; signs by their sum: +, +, +, +.
    const merged = combine(
      "ties",
      parts(
        [
          [4, 1, -3, 0.5],
          [-1, 2, 5, 0.1],
        ],
        [1, 0.5],
      ),
      0.5,
    )
    expect([...merged]).toEqual([4, 1, 2.5, 0])
  })
  test("averages over the adapters that agree only", () => {
    expect([...combine("ties", parts([[2], [4], [-1]], [1, 1, 1]), 1)]).toEqual([3])
  })
})

describe("combine() agrees with PEFT", () => {
  for (const { method, density, merged } of oracle.cases)
    test(`${method} at density ${density}`, () => {
      const found = combine(method as "ties" | "magnitude", parts(oracle.deltas, oracle.weights), density)
      for (const [i, value] of merged.entries()) expect(found[i]!).toBeCloseTo(value, 10)
    })
})

describe("combine() by DARE", () => {
  const ones = [new Array(20_000).fill(1) as number[], new Array(20_000).fill(2) as number[]]
  test("drops at random and keeps the mean", () => {
    const merged = combine("dare", parts(ones, [0.5, 0.25]), 0.2)
    const kept = merged.filter((x) => x !== 0).length / merged.length
    const mean = merged.reduce((sum, x) => sum + x, 0) / merged.length
    expect(kept).toBeCloseTo(1 - 0.8 ** 2, 1)
    expect(mean).toBeCloseTo(1, 1)
    expect([...new Set(merged)].sort()).toEqual([0, 2.5, 5])
  })
  test("is the same for the same seed and another for another", () => {
    const draw = (seed: number) => combine("dare", parts(ones, [1, 1], seed), 0.5).join()
    expect(draw(1)).toBe(draw(1))
    expect(draw(1)).not.toBe(draw(2))
  })
  test("at density 1 is the weighted sum, and with signs TIES of the whole", () => {
    expect([
      ...combine(
        "dare",
        parts(
          [
            [1, -2],
            [3, 4],
          ],
          [2, 0.5],
        ),
        1,
      ),
    ]).toEqual([3.5, -2])
    expect([
      ...combine(
        "dare-ties",
        parts(
          [
            [1, -2],
            [3, 4],
          ],
          [2, 0.5],
        ),
        1,
      ),
    ]).toEqual([1.75, 2])
  })
})

describe("slerpWeights()", () => {
  test("goes along the arc: a right angle halved gives both the root of a half", () => {
    const [x, y] = slerpWeights(0, [1, 1], [0.5, 0.5])
    expect([x, y]).toEqual([expect.closeTo(Math.SQRT1_2, 12), expect.closeTo(Math.SQRT1_2, 12)])
  })
  test("begins and ends at the adapters, keeps the length of equal ones, and takes parallels along a line", () => {
    expect(slerpWeights(0.3, [1, 1], [1, 0])).toEqual([1, 0])
    const [x, y] = slerpWeights(0.3, [1, 1], [0.8, 0.2])
    expect(x ** 2 + y ** 2 + 2 * x * y * 0.3).toBeCloseTo(1, 12)
    expect(slerpWeights(6, [2, 3], [0.75, 0.25])).toEqual([0.75, 0.25])
    expect(slerpWeights(0, [0, 3], [0.75, 0.25])).toEqual([0.75, 0.25])
  })
})
