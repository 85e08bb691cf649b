import { describe, expect, test } from "bun:test"
import { lossChart } from "../../../src/train/chart.ts"

const falling = (count: number) => Array.from({ length: count }, (_, i) => 4 - (3 * i) / (count - 1))

describe("lossChart()", () => {
  test("has the size wanted, the first loss at the top and the last at the bottom", () => {
    for (const count of [2, 5, 62, 63, 64, 1000]) {
      const lines = lossChart(falling(count), { width: 60, height: 8 }).split("\n")
      expect(lines.length).toBe(8)
      expect(Math.max(...lines.map((line) => line.length))).toBeLessThanOrEqual(60)
      expect(lines[0]).toMatch(/^ *(4\.000|3\.9\d\d) ┼/)
      expect(lines[7]).toMatch(/^ *1\.0\d\d ┤/)
    }
  })

  test("draws a run whose losses are equal", () => {
    expect(lossChart([1, 1, 1])).toMatch(/^ *1\.000 ┼─+$/)
  })

  test("is empty where there is no line to draw", () => {
    expect(lossChart([])).toBe("")
    expect(lossChart([1])).toBe("")
    expect(lossChart([1, Number.NaN])).toBe("")
  })
})
