import { describe, expect, test } from "bun:test"
import { broadcast, parseDim, product, sameDim, sum } from "../../../src/graph/dim.ts"

test("product() has one spelling for equal sizes", () => {
  expect(product(["T", "B"])).toBe("B*T")
  expect(product([2, "T", 3])).toBe("6*T")
  expect(product([2, 3])).toBe(6)
  expect(product([1, "T"])).toBe("T")
  expect(product([])).toBe(1)
  expect(sameDim("T*2", "2*T")).toBe(true)
})

test("sum() adds sizes of the same symbols and knows no other", () => {
  expect(sum([2, 3])).toBe(5)
  expect(sum(["T", "2*T"])).toBe("3*T")
  expect(sum(["T", 1])).toBeNull()
})

describe("broadcast()", () => {
  test("follows NumPy's rules, symbols included", () => {
    expect(broadcast(["B", 1, 3], ["T", 1])).toEqual(["B", "T", 3])
    expect(broadcast([], [2])).toEqual([2])
  })
  test("refuses sizes that differ", () => expect(() => broadcast([2], [3])).toThrow(/2 against 3/))
})

test("parseDim() refuses what is no size", () => expect(() => parseDim("T+1")).toThrow(SyntaxError))
