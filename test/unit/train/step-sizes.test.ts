import { expect, test } from "bun:test"
import { stepSizes } from "../../../src/train/step-sizes.ts"

const config = { intermediateSize: 512, vocabSize: 2 ** 14 }
const batch = { maxLength: 32, maxLabelled: 2 ** 11 }

test("stepSizes() computes no more at once than it is told to, and then has the loss in fewer parts", () => {
  expect(stepSizes("fused", config, batch)).toEqual({ piece: 1024, chunks: 1, bucket: 16 })
  expect(stepSizes("standard", config, batch)).toEqual({ piece: Infinity, chunks: 2, bucket: 32 })
  for (const lowering of ["fused", "standard"] as const)
    expect(stepSizes(lowering, config, { ...batch, maxPositions: 128 })).toEqual({ piece: 128, chunks: 1, bucket: 16 })
  expect(stepSizes("fused", config, { ...batch, maxPositions: 10 ** 6 }).piece).toBe(1024)
})
