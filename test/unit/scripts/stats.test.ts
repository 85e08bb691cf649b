import { expect, test } from "bun:test"
import { summarise, timeRuns } from "../../../scripts/bench/stats.ts"

test("summarise() gives the middle of an odd count and the mean of the middle two of an even one", () => {
  expect(summarise([9, 1, 5])).toEqual({ median: 5, least: 1, most: 9, count: 3 })
  expect(summarise([4, 1, 9, 2])).toEqual({ median: 3, least: 1, most: 9, count: 4 })
  expect(() => summarise([])).toThrow("at least one measurement")
})

test("timeRuns() leaves the warm-up out", async () => {
  let now = 0
  const runs: number[] = []
  const times = await timeRuns(
    async (index) => {
      runs.push(index)
      now += index < 2 ? 1000 : index
    },
    { warmup: 2, count: 3 },
    () => now,
  )
  expect(runs).toEqual([0, 1, 2, 3, 4])
  expect(times).toEqual([2, 3, 4])
})
