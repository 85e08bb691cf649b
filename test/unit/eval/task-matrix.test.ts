import { expect, test } from "bun:test"
import { matrixMeasures } from "../../../src/eval/task-matrix.ts"

test("matrixMeasures() are those of the papers", () => {
  const matrix = [
    [0.9, 0.2, 0.1],
    [0.95, 0.8, 0.3],
    [0.5, 0.6, 0.7],
  ]
  const { average, backwardTransfer, forwardTransfer, forgetting } = matrixMeasures(matrix, [0, 0.1, 0.1])
  expect(average).toBeCloseTo(0.6, 12)
  // (0.5 - 0.9 + 0.6 - 0.8) / 2
  expect(backwardTransfer).toBeCloseTo(-0.3, 12)
  // (0.2 - 0.1 + 0.3 - 0.1) / 2
  expect(forwardTransfer).toBeCloseTo(0.15, 12)
  // (0.95 - 0.5 + 0.8 - 0.6) / 2: the first task was at its best after the second.
  expect(forgetting).toBeCloseTo(0.325, 12)
})

test("matrixMeasures() of one task are its score alone", () => {
  expect(matrixMeasures([[0.5]], [0])).toEqual({
    average: 0.5,
    backwardTransfer: null,
    forwardTransfer: null,
    forgetting: null,
  })
})

test("matrixMeasures() refuses what is no square", () => {
  expect(() => matrixMeasures([[0.5, 1]], [0])).toThrow(TypeError)
  expect(() => matrixMeasures([], [])).toThrow(TypeError)
})
