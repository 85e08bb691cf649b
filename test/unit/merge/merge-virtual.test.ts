import { describe, expect, test } from "bun:test"
import { f32 } from "../../../src/core/tensor.ts"
import type { BottleneckForm, Form } from "../../../src/forms/form.ts"
import { mergeAdapters } from "../../../src/merge/merge.ts"
import type { MergeMethod } from "../../../src/merge/recipe.ts"
import type { MergeSource } from "../../../src/merge/source.ts"

const base = { name: "twig", sites: [], read: async () => new Float32Array(0) }
const merge = (method: MergeMethod, ...sources: MergeSource[]) => mergeAdapters(sources, { method }, base)
const source = (name: string, weight: number, ...forms: Form[]): MergeSource => ({ name, weight, forms })

const prompt = (...rows: number[][]): Form => ({
  form: "prompt",
  embeddings: f32([rows.length, rows[0]!.length], rows.flat()),
})
const prefix = (layer: number, tokens: number, value: number): Form => ({
  form: "prefix",
  layer,
  keys: f32([tokens, 1, 2], new Float32Array(tokens * 2).fill(value)),
  values: f32([tokens, 1, 2], new Float32Array(tokens * 2).fill(-value)),
})

describe("merging soft prompts", () => {
  const one = prompt([1, 2], [3, 4])
  const two = prompt([5, 6])
  test("cat puts them one after the other", async () => {
    const { forms, report } = await merge("cat", source("one", 1, one), source("two", 1, two))
    expect(forms).toEqual([prompt([1, 2], [3, 4], [5, 6])])
    expect(report).toBeNull()
  })
  test("linear averages them", async () => {
    const { forms, report } = await merge(
      "linear",
      source("one", 0.5, one),
      source("two", 0.25, prompt([0, 4], [2, 0])),
    )
    expect(forms).toEqual([prompt([0.5, 2], [2, 2])])
    expect(report!.error).toBe(0)
  })
  test("one prompt at weight 1 stays as it is", async () => {
    expect((await merge("linear", source("one", 1, one))).forms).toEqual([one])
    expect((await merge("cat", source("one", 1, one))).forms).toEqual([one])
  })
  test("averages of unequal lengths are refused with both lengths and a way out", () => {
    const merging = merge("linear", source("one", 0.5, one), source("two", 0.5, two))
    expect(merging).rejects.toMatchObject({
      code: "adapter_mismatch",
      message: expect.stringContaining('"one" has 2 virtual tokens and "two" has 1'),
      hint: expect.stringContaining("cat"),
    })
  })
  test("weights mean nothing for cat, so they are refused", () => {
    expect(merge("cat", source("one", 0.5, one), source("two", 1, two))).rejects.toThrow('"one" has 0.5')
  })
})

describe("merging prefixes", () => {
  test("cat puts them one after the other in every layer", async () => {
    const one = source("one", 1, prefix(0, 1, 1), prefix(1, 1, 2))
    const two = source("two", 1, prefix(0, 2, 3), prefix(1, 2, 4))
    const { forms } = await merge("cat", one, two)
    expect(forms.map((form) => form.form === "prefix" && [form.layer, form.keys.shape, [...form.values.data]])).toEqual(
      [
        [0, [3, 1, 2], [-1, -1, -3, -3, -3, -3]],
        [1, [3, 1, 2], [-2, -2, -4, -4, -4, -4]],
      ],
    )
  })
  test("linear averages keys and values", async () => {
    const { forms } = await merge("linear", source("one", 0.5, prefix(0, 1, 1)), source("two", 0.5, prefix(0, 1, 3)))
    expect(forms).toEqual([prefix(0, 1, 2)])
  })
  test("a layer that one adapter lacks is named", () => {
    const merging = merge("cat", source("one", 1, prefix(0, 1, 1), prefix(1, 1, 1)), source("two", 1, prefix(0, 1, 1)))
    expect(merging).rejects.toThrow('Adapter "two" has no prefix in layer 1')
  })
})

describe("merging bottlenecks", () => {
  const bottleneck = (size: number, seed: number, more: Partial<BottleneckForm> = {}): BottleneckForm => {
    const values = (count: number, from: number) =>
      Array.from({ length: count }, (_, i) => Math.sin(seed * 10 + from + i))
    return {
      form: "bottleneck",
      path: "model.layers.0.mlp",
      reads: "sum",
      down: f32([size, 3], values(size * 3, 0)),
      downBias: f32([size], values(size, 100)),
      up: f32([3, size], values(size * 3, 200)),
      upBias: f32([3], values(3, 300)),
      nonlinearity: "silu",
      ...more,
    }
  }
  /** up(silu(down(x))). */
  const added = ({ down, downBias, up, upBias }: BottleneckForm, x: readonly number[]): number[] => {
    const size = downBias.data.length
    const inner = Array.from({ length: size }, (_, k) => {
      const z = x.reduce((sum, value, i) => sum + value * down.data[k * 3 + i]!, downBias.data[k]!)
      return z / (1 + Math.exp(-z))
    })
    return Array.from(upBias.data, (b, o) => inner.reduce((sum, value, k) => sum + value * up.data[o * size + k]!, b))
  }
  test("adds exactly the weighted sum of what each of them adds", async () => {
    const [one, two] = [bottleneck(2, 1), bottleneck(5, 2)]
    for (const method of ["cat", "linear"] as const) {
      const { forms } = await merge(method, source("one", 0.7, one), source("two", -1.5, two))
      const merged = forms[0] as BottleneckForm
      expect(merged.down.shape).toEqual([7, 3])
      for (const x of [
        [1, 2, 3],
        [-0.5, 0.1, 4],
        [0, 0, 0],
      ]) {
        const [p, q] = [added(one, x), added(two, x)]
        const wanted = p.map((value, i) => 0.7 * value - 1.5 * q[i]!)
        for (const [i, value] of added(merged, x).entries()) expect(value).toBeCloseTo(wanted[i]!, 5)
      }
    }
  })
  test("one at weight 1 stays as it is", async () => {
    expect((await merge("cat", source("one", 1, bottleneck(2, 1)))).forms).toEqual([bottleneck(2, 1)])
  })
  test("those that bend or read otherwise are refused", () => {
    for (const other of [{ nonlinearity: "relu" as const }, { reads: "stream" as const }]) {
      const merging = merge("cat", source("one", 1, bottleneck(2, 1)), source("two", 1, bottleneck(2, 2, other)))
      expect(merging).rejects.toThrow("must be alike")
    }
  })
})
