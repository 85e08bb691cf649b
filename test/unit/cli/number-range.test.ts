import { describe, expect, test } from "bun:test"
import { parseOptions } from "../../../src/cli/command.ts"
import { commands } from "../../../src/cli/main.ts"
import { above, below, between, count, from, isWithin, rangeText, whole } from "../../../src/cli/number-range.ts"

test("a range has its bounds or not, and says so", () => {
  const rows = [
    [whole(0, 3), [0, 3], [-1, 4, 1.5, Number.NaN], "a whole number from 0 to 3"],
    [count(), [1, 1e9], [0, 1e9 + 1], "a whole number from 1 to 1000000000"],
    [from(0, 1), [0, 0.5, 1], [-0.1, 1.1, Number.NaN], "a number from 0 to 1"],
    [above(0, 1), [1e-9, 1], [0, 1.1], "a number above 0 and at most 1"],
    [below(0, 1), [0, 0.99], [-0.1, 1], "a number from 0 to below 1"],
    [between(0, 1), [0.5], [0, 1], "a number above 0 and below 1"],
  ] as const
  for (const [range, right, wrong, text] of rows) {
    for (const value of right) expect([value, isWithin(value, range)]).toEqual([value, true])
    for (const value of wrong) expect([value, isWithin(value, range)]).toEqual([value, false])
    expect(rangeText(range)).toBe(text)
  }
})

describe("every number of every command is refused out of its range by its own name", () => {
  for (const [name, { load }] of Object.entries(commands)) {
    test(name, async () => {
      const command = await load()
      for (const [option, spec] of Object.entries(command.options)) {
        if (spec.type !== "number") continue
        const { least, most, whole } = spec.range
        for (const value of [least - (whole ? 2 : 1), 2 * Math.max(1, most), ...(whole ? ["1.5"] : [])])
          expect(() => parseOptions(command, [`--${option}=${value}`])).toThrow(`Expected ${option} to be a`)
      }
    })
  }

  const refusals = [
    ["serve", "--port", "99999", "Expected port to be a whole number from 0 to 65535 but found 99999"],
    ["serve", "--threads", "0", "Expected threads to be a whole number from 1 to 1024 but found 0"],
    ["serve", "--prefix-cache", "2000000", "Expected prefix-cache to be a number from 0 to 1048576 but found 2000000"],
    ["serve", "--max-adapters", "0", "Expected max-adapters to be a whole number from 1 to 100000 but found 0"],
    ["serve", "--drain-timeout", "1e6", "Expected drain-timeout to be a number from 0 to 86400 but found 1000000"],
    [
      "train",
      "--batch-size",
      "1e12",
      "Expected batch-size to be a whole number from 1 to 65536 but found 1000000000000",
    ],
    ["train", "--heldout-part", "1", "Expected heldout-part to be a number from 0 to below 1 but found 1"],
  ] as const
  for (const [name, option, value, message] of refusals) {
    test(`${name} ${option} ${value}`, async () => {
      const command = await commands[name]!.load()
      expect(() => parseOptions(command, [option, value])).toThrow(message)
    })
  }
})
