import { describe, expect, test } from "bun:test"
import { methods } from "../../../adapters/mod.ts"
import { type Choice, propose } from "../../../src/plan/propose.ts"
import type { TrainingPlan } from "../../../src/plan/training.ts"

const method = (name: string) => methods.find((each) => each.name === name)!
const wanted: Choice = {
  method: method("lora"),
  settings: { rank: 16, alpha: 32 },
  rows: 8,
  accumulation: 1,
  length: 256,
  quantize: null,
}

/** A made-up price, so that each thing that can be given up has a weight of its own. */
const planOf = ({ method, settings, rows, length, quantize }: Choice): TrainingPlan => {
  const { rank = 0 } = method.prepare(settings).config as { rank?: number }
  const total =
    (method.name === "full" ? 10_000 : 0) +
    rows * 100 +
    { f16: 200, int8: 100, int4: 50, "int4-pure": 40, none: 400 }[quantize ?? "none"] +
    rank * 10 +
    length
  return { method: method.name, trainable: 1, rowsAtOnce: rows, parts: [], total }
}
const within = (budget: number, from: Choice = wanted) => propose(from, [method("lora")], budget, planOf)

describe("propose()", () => {
  test("gives up nothing where all of it fits", () => {
    const { choice, gaveUp } = within(5000)
    expect(choice).toEqual(wanted)
    expect(gaveUp).toEqual([])
  })

  test("first halves the rows, and accumulates as many batches more", () => {
    const { choice, gaveUp } = within(1300)
    expect(choice).toEqual({ ...wanted, rows: 4, accumulation: 2 })
    expect(gaveUp).toEqual(["rows at a time: 4 instead of 8, 2 batches to a step"])
  })

  test("then holds the base in 16 bits, then in 8, then in 4, then its tables too, then lowers the rank, then cuts rows", () => {
    expect(within(750).choice).toEqual({ ...wanted, rows: 1, accumulation: 8, quantize: "f16" })
    expect(within(700).choice).toEqual({ ...wanted, rows: 1, accumulation: 8, quantize: "int8" })
    expect(within(600).choice).toEqual({ ...wanted, rows: 1, accumulation: 8, quantize: "int4" })
    expect(within(500).choice).toEqual({
      ...wanted,
      settings: { rank: 8, alpha: 32 },
      rows: 1,
      accumulation: 8,
      quantize: "int4-pure",
    })
    const { choice, gaveUp } = within(350)
    expect(choice).toMatchObject({ settings: { rank: 4 }, length: 128 })
    expect(gaveUp).toEqual([
      "rows at a time: 1 instead of 8, 8 batches to a step",
      "the base's weights in 32 bits: int4-pure instead",
      "rank: 4 instead of 16",
      "length: rows are cut at 128 tokens, not 256",
    ])
  })

  test("goes over to another method before it cuts rows, and never holds in fewer bits what is trained", () => {
    const { choice, gaveUp } = within(2000, { ...wanted, method: method("full"), settings: {} })
    expect(choice).toMatchObject({ method: { name: "lora" }, rows: 1, length: 256, quantize: null })
    expect(gaveUp.at(-1)).toBe("the method: lora instead of full")
  })

  test("says what the least would be where nothing fits", () => {
    expect(() => within(100)).toThrow(/Nothing fits into 1 MB: the least that was found takes 1 MB/)
  })
})
