import { describe, expect, test } from "bun:test"
import { packStream } from "../../../src/data/pack.ts"

describe("packStream()", () => {
  test("runs documents on into one another, labels everything, leaves out what fills no batch", () => {
    const batches = [
      ...packStream([[1, 2, 3], Int32Array.of(4), [], Uint16Array.of(5, 6, 7, 8, 9, 10, 11, 12, 13)], 2, 3),
    ]
    expect(batches.map(({ ids }) => Array.from(ids))).toEqual([
      [1, 2, 3, 4, 5, 6],
      [7, 8, 9, 10, 11, 12],
    ])
    for (const { rows, length, ids, labels, tokens, labelled } of batches) {
      expect([rows, length, tokens, labelled]).toEqual([2, 3, 6, 4])
      expect(labels).toEqual(ids)
    }
  })

  test("reads no further than it needs", () => {
    let read = 0
    function* documents() {
      for (;;) {
        read++
        yield [1, 2]
      }
    }
    packStream(documents(), 1, 4).next()
    expect(read).toBe(2)
  })

  test("refuses rows with nothing to predict", () => {
    expect(() => packStream([], 1, 1).next()).toThrow("at least 1 row of 2 tokens but found 1 of 1")
  })
})
