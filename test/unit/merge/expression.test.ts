import { describe, expect, test } from "bun:test"
import { f32 } from "../../../src/core/tensor.ts"
import type { Form, LowrankForm } from "../../../src/forms/form.ts"
import { catForms } from "../../../src/merge/cat-forms.ts"
import { parseExpression } from "../../../src/merge/expression.ts"
import { denseDeltas, relativeError } from "../../support/dense-delta.ts"

describe("parseExpression()", () => {
  const rows: readonly (readonly [string, Record<string, number> | null])[] = [
    ["answer-card", null],
    ["ft:sprig:me::1", null],
    ["a+b", { a: 1, b: 1 }],
    ["a*0.7+b*0.3", { a: 0.7, b: 0.3 }],
    [" a * .5 + 2*b-c ", { a: 0.5, "b-c": 2 }],
    ["a*-1", { a: -1 }],
    ["a*1e-3", { a: 0.001 }],
    ["a+a*2", { a: 3 }],
    ["v1.5*2", { "v1.5": 2 }],
  ]
  for (const [text, wanted] of rows)
    test(JSON.stringify(text), () => {
      const found = parseExpression(text)
      expect(found && Object.fromEntries(found.map(({ name, weight }) => [name, weight]))).toEqual(wanted)
    })
  for (const text of ["a+", "+", "a*", "a*b", "a*1*2", "*2", "a**2", "a+ +b"])
    test(`refuses ${JSON.stringify(text)}`, () => expect(() => parseExpression(text)).toThrow("in model"))
  test("refuses more adapters than anybody means", () => {
    expect(() => parseExpression(new Array(17).fill("a").join("+"))).toThrow("at most 16 adapters but found 17")
  })
})

describe("catForms()", () => {
  const lowrank = (path: string, rank: number, scale: number): LowrankForm => ({
    form: "lowrank",
    path,
    a: f32(
      [rank, 4],
      Float32Array.from({ length: rank * 4 }, (_, i) => Math.sin(i + rank)),
    ),
    b: f32(
      [3, rank],
      Float32Array.from({ length: rank * 3 }, (_, i) => Math.cos(i * rank)),
    ),
    scale,
  })
  const one = { name: "one", weight: 0.7, forms: [lowrank("q", 2, 4), lowrank("v", 1, 1)] }
  const two = { name: "two", weight: -0.3, forms: [lowrank("q", 3, 0.5)] }
  test("is the true weighted sum, one form a layer", () => {
    const forms = catForms([one, two])
    expect(forms.map((form) => form.form === "lowrank" && [form.path, form.a.shape[0]])).toEqual([
      ["q", 5],
      ["v", 1],
    ])
    expect(relativeError(denseDeltas([{ forms, weight: 1 }]), denseDeltas([one, two]))).toBeLessThan(1e-6)
  })
  test("adds biases up", () => {
    const bias = (...values: number[]): Form => ({ form: "bias", path: "q", vector: f32([2], values) })
    const forms = catForms([
      { name: "one", weight: 2, forms: [bias(1, 2)] },
      { name: "two", weight: -1, forms: [bias(3, 1)] },
    ])
    expect(forms).toEqual([bias(-1, 3)])
  })
  test("refuses what is no low-rank update, by name, and other sizes", () => {
    const scale: Form = { form: "scale", path: "q", side: "output", vector: f32([1], [1]) }
    expect(() => catForms([one, { name: "dora", weight: 1, forms: [scale] }])).toThrow(
      'Adapter "dora" can\'t be merged',
    )
    const other = { ...lowrank("q", 1, 1), a: f32([1, 2], [1, 1]) }
    expect(() => catForms([one, { name: "two", weight: 1, forms: [other] }])).toThrow("change q in different sizes")
  })
})
