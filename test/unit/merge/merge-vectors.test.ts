import { describe, expect, test } from "bun:test"
import { f32 } from "../../../src/core/tensor.ts"
import type { Form } from "../../../src/forms/form.ts"
import { mergeAdapters } from "../../../src/merge/merge.ts"
import type { MergeBase, MergeSource } from "../../../src/merge/source.ts"

const vector = (...values: number[]) => f32([values.length], values)
const base: MergeBase = { name: "twig", sites: [], read: async () => Float32Array.of(1, 2, 3) }
const merge = (sources: readonly MergeSource[], method: Parameters<typeof mergeAdapters>[1]["method"], density = 1) =>
  mergeAdapters(sources, { method, density }, base)
const source = (name: string, weight: number, ...forms: Form[]): MergeSource => ({ name, weight, forms })

const scale = (path: string, ...values: number[]): Form => ({
  form: "scale",
  path,
  side: "output",
  vector: vector(...values),
})
const bias = (path: string, ...values: number[]): Form => ({ form: "bias", path, vector: vector(...values) })
const norm = (...values: number[]): Form => ({ form: "weights", name: "model.norm.weight", value: vector(...values) })

/** Vectors by place. */
const vectors = (forms: readonly Form[]): Record<string, number[]> =>
  Object.fromEntries(
    forms.map((form) => {
      if (form.form === "weights") return [form.name, [...form.value.data]]
      if (form.form === "scale" || form.form === "bias") return [form.path, [...form.vector.data]]
      throw new TypeError(form.form)
    }),
  )

describe("merging vectors that scale", () => {
  const one = scale("k", 2, 1, 0.5)
  const two = scale("k", 4, 9, 1)
  test("product multiplies, with weights as powers, and leaves 1 where an adapter has nothing", async () => {
    const { forms } = await merge([source("one", 2, one, scale("v", 3)), source("two", 0.5, two)], "product")
    expect(vectors(forms)).toEqual({ k: [8, 3, 0.25], v: [9] })
  })
  test("linear adds what each is away from 1", async () => {
    const { forms, report } = await merge([source("one", 0.5, one), source("two", 0.5, two)], "linear")
    expect(vectors(forms)).toEqual({ k: [3, 5, 0.75] })
    expect(report!.error).toBe(0)
  })
  test("product says how far it is from the sum", async () => {
    const { report } = await merge([source("one", 0.5, one), source("two", 0.5, two)], "product")
    expect(report!.error).toBeCloseTo(
      Math.hypot(3 - Math.sqrt(8), 5 - 3, 0.75 - Math.sqrt(0.5)) / Math.hypot(2, 4, -0.25),
      6,
    )
    expect(report!.cut).toBeLessThan(1e-6)
  })
  for (const method of ["product", "linear", "ties", "dare", "magnitude"] as const)
    test(`${method} of one adapter at weight 1 changes nothing, to the bit`, async () => {
      const own = scale("k", 0.1, -0.7, 1.3)
      expect((await merge([source("one", 1, own)], method)).forms).toEqual([own])
    })
  test("product refuses a root of a negative number by name, place and element", () => {
    const merging = merge([source("one", 0.5, scale("k", 1, -2))], "product")
    expect(merging).rejects.toThrow('"one" scales element 1 of k output by -2, which has no power 0.5')
  })
  test("vectors of other lengths are refused", () => {
    expect(merge([source("one", 1, one), source("two", 1, scale("k", 1))], "linear")).rejects.toThrow(
      'Adapter "two": k output has 1 elements where 3 were expected',
    )
  })
  test("cat is no way to merge them", () => {
    expect(merge([source("one", 1, one)], "cat")).rejects.toMatchObject({ code: "unsupported" })
  })
})

test("biases add up", async () => {
  const { forms } = await merge(
    [source("one", 1, bias("q", 1, 2)), source("two", -0.5, bias("q", 4, 1), bias("v", 2))],
    "linear",
  )
  expect(vectors(forms)).toEqual({ q: [-1, 1.5], v: [-1] })
})

describe("merging norms' weights", () => {
  test("adds what each is away from the base's", async () => {
    const { forms } = await merge([source("one", 1, norm(2, 2, 3)), source("two", 0.5, norm(1, 4, 2))], "linear")
    expect(vectors(forms)).toEqual({ "model.norm.weight": [2, 3, 2.5] })
  })
  test("by ties keeps the larger half of each change", async () => {
    const { forms } = await merge([source("one", 1, norm(3, 2.5, 3)), source("two", 1, norm(0, 2, 4))], "ties", 0.67)
    // Changes [2, 0.5, 0] and [-1, 0, 1]: all of them are kept, and -1 is outvoted.
    expect(vectors(forms)).toEqual({ "model.norm.weight": [3, 2.5, 4] })
  })
  test("by slerp at right angles reaches further than the mean", async () => {
    const { forms } = await merge([source("one", 1, norm(2, 2, 3)), source("two", 1, norm(1, 3, 3))], "slerp")
    const value = vectors(forms)["model.norm.weight"]!
    expect(value.map((x, i) => x - [1, 2, 3][i]!)).toEqual([
      expect.closeTo(Math.SQRT1_2, 6),
      expect.closeTo(Math.SQRT1_2, 6),
      0,
    ])
  })
})
