import { describe, expect, test } from "bun:test"
import { rng } from "../../../src/core/rng.ts"
import { f32 } from "../../../src/core/tensor.ts"
import type { Form, LowrankForm } from "../../../src/forms/form.ts"
import { mergeAdapters } from "../../../src/merge/merge.ts"
import type { MergeMethod, Recipe } from "../../../src/merge/recipe.ts"
import type { MergeBase, MergeSource } from "../../../src/merge/source.ts"
import { llama } from "../../../src/models/llama.ts"
import { qwen2 } from "../../../src/models/qwen2.ts"
import { denseDeltas, relativeError } from "../../support/dense-delta.ts"

const shape = {
  vocab_size: 32,
  hidden_size: 16,
  num_hidden_layers: 2,
  num_attention_heads: 2,
  num_key_value_heads: 1,
  intermediate_size: 24,
  tie_word_embeddings: true,
}
const sites = llama.sites(llama.parseConfig(shape))
const sizes = new Map(sites.flatMap((site) => (site.kind === "linear" ? [[site.path, site] as const] : [])))

const values = (size: number, purpose: string): Float32Array => {
  const draw = rng(3, purpose)
  return Float32Array.from({ length: size }, () => draw.normal() * 0.3)
}

/** Frozen weights of the right size, the same each time. */
const base: MergeBase = {
  name: "twig",
  sites,
  read: async (name) => {
    const site = sizes.get(name.replace(/\.(weight|bias)$/, ""))!
    return values(name.endsWith("bias") ? site.outFeatures : site.inFeatures * site.outFeatures, name)
  },
}
const q = "model.layers.0.self_attn.q_proj"
const down = "model.layers.1.mlp.down_proj"

const lowrank = (adapter: string, path: string, rank: number, scale: number): LowrankForm => {
  const { inFeatures, outFeatures } = sizes.get(path)!
  return {
    form: "lowrank",
    path,
    a: f32([rank, inFeatures], values(rank * inFeatures, `${adapter} ${path} a`)),
    b: f32([outFeatures, rank], values(outFeatures * rank, `${adapter} ${path} b`)),
    scale,
  }
}

/** As LoRA at alpha 16, as rsLoRA with another rank in one layer, and on one layer only. */
const first = [lowrank("first", q, 4, 4), lowrank("first", down, 4, 4)]
const second = [lowrank("second", q, 2, 16 / Math.sqrt(2)), lowrank("second", down, 6, 16 / Math.sqrt(6))]
const third = [lowrank("third", down, 3, 0.5)]

const source = (name: string, forms: readonly Form[], weight: number): MergeSource => ({ name, forms, weight })
const three = [source("first", first, 0.5), source("second", second, -0.3), source("third", third, 1)]
const merge = (sources: readonly MergeSource[], recipe: Recipe) => mergeAdapters(sources, recipe, base)
const errorOf = (forms: readonly Form[], sources: readonly MergeSource[]): number =>
  relativeError(denseDeltas([{ forms, weight: 1 }]), denseDeltas(sources))
const ranks = (forms: readonly Form[]) => forms.map((form) => (form.form === "lowrank" ? form.a.shape[0] : null))

describe("merging low-rank updates of other ranks, scales and layers", () => {
  for (const method of ["linear", "cat"] as const)
    test(`${method} of one adapter at weight 1 changes nothing, to the bit`, async () => {
      const { forms, report } = await merge([source("second", second, 1)], { method })
      expect(forms).toEqual(second)
      expect(report!.error).toBeLessThan(1e-15)
    })
  for (const method of ["svd", "ties", "dare", "magnitude"] as const)
    test(`${method} of one adapter at weight 1 and density 1 is that adapter`, async () => {
      const alone = [source("second", second, 1)]
      const { forms } = await merge(alone, { method, density: 1 })
      expect(errorOf(forms, alone)).toBeLessThan(1e-6)
    })
  test("cat is the true weighted sum, and ranks add", async () => {
    const { forms, report } = await merge(three, { method: "cat" })
    expect(errorOf(forms, three)).toBeLessThan(1e-6)
    expect(report!.error).toBeLessThan(1e-6)
    expect(ranks(forms)).toEqual([6, 13])
  })
  test("linear is the true weighted sum too", async () => {
    const { forms } = await merge(three, { method: "linear" })
    expect(errorOf(forms, three)).toBeLessThan(1e-6)
    expect(ranks(forms)).toEqual([6, 13])
  })
  test("linear takes no more ranks than it needs", async () => {
    const twice = [source("one", first, 0.25), source("two", first, 0.75)]
    const { forms } = await merge(twice, { method: "linear" })
    expect(ranks(forms)).toEqual([4, 4])
    expect(errorOf(forms, [source("whole", first, 1)])).toBeLessThan(1e-6)
  })
  test("svd at full rank is the true weighted sum", async () => {
    const { forms } = await merge(three, { method: "svd", rank: 16 })
    expect(errorOf(forms, three)).toBeLessThan(1e-5)
  })
  test("svd keeps to a rank, and says what that costs", async () => {
    const { forms, report } = await merge(three, { method: "svd", rank: 3 })
    expect(ranks(forms)).toEqual([3, 3])
    const error = errorOf(forms, three)
    expect(error).toBeGreaterThan(0.05)
    expect(report!.error).toBeCloseTo(error, 6)
    expect(report!.cut).toBeCloseTo(error, 6)
  })
  test("svd without a rank takes that of the largest source", async () => {
    expect(ranks((await merge(three, { method: "svd" })).forms)).toEqual([4, 6])
  })
  test("svd keeps to an error in the least rank", async () => {
    const { forms, report } = await merge(three, { method: "svd", error: 0.2 })
    for (const { error } of report!.layers) expect(error).toBeLessThanOrEqual(0.2)
    const fewer = ranks(forms).map((rank) => rank! - 1)
    const { report: less } = await merge(three, { method: "svd", rank: Math.min(...fewer) })
    expect(Math.max(...less!.layers.map(({ error }) => error))).toBeGreaterThan(0.2)
  })
  test("slerp of adapters that share no layer leaves each its own arc: the line", async () => {
    const apart = [source("first", [first[0]!], 0.5), source("third", third, 0.5)]
    const { forms } = await merge(apart, { method: "slerp" })
    expect(errorOf(forms, apart)).toBeLessThan(1e-6)
  })
  test("slerp stands further out than the line between two adapters", async () => {
    const two = [source("first", first, 0.5), source("second", second, 0.5)]
    const { report } = await merge(two, { method: "slerp" })
    expect(report!.error).toBeGreaterThan(0.1)
    expect(report!.cut).toBeLessThan(1e-6)
  })
  test("ties says how far it is from the sum, and what the rank has cost", async () => {
    const two = [source("first", first, 1), source("second", second, 1)]
    const { forms, report } = await merge(two, { method: "ties", density: 0.4 })
    expect(ranks(forms)).toEqual([6, 10])
    expect(report!.error).toBeCloseTo(errorOf(forms, two), 6)
    expect(report!.cut).toBeGreaterThan(0.01)
    const whole = await merge(two, { method: "ties", density: 0.4, rank: 16 })
    expect(whole.report!.cut).toBeLessThan(1e-6)
  })
  test("says how far each adapter is from the merge", async () => {
    const { report } = await merge([source("first", first, 1), source("none", first, 0)], { method: "linear" })
    expect(report!.sources.map(({ distance }) => distance)).toEqual([expect.closeTo(0, 6), expect.closeTo(0, 6)])
    const half = await merge([source("first", first, 0.5)], { method: "linear" })
    expect(half.report!.sources[0]!.distance).toBeCloseTo(0.5, 6)
  })
})

/** DoRA as its forms are: m (W + s B A) / |W + s B A|, where m is the first length times `longer`. */
async function dora(path: string, adapter: string, longer: number): Promise<Form[]> {
  const form = lowrank(adapter, path, 2, 1)
  const { inFeatures, outFeatures } = sizes.get(path)!
  const w = await base.read(`${path}.weight`)
  const update = denseDeltas([{ forms: [form], weight: 1 }]).get(path)!
  const length = (o: number, plus: boolean): number =>
    Math.hypot(
      ...Array.from({ length: inFeatures }, (_, i) => {
        const at = o * inFeatures + i
        return w[at]! + (plus ? update[at]! : 0)
      }),
    )
  const ratio = Float32Array.from({ length: outFeatures }, (_, o) => (longer * length(o, false)) / length(o, true))
  return [form, { form: "scale", path, side: "output", vector: f32([outFeatures], ratio) }]
}

describe("merging DoRA, whose change depends on the base", () => {
  test("at full rank is what the layers compute: W' = m (W + s B A) / |W + s B A|", async () => {
    const forms = await dora(q, "dora", 1.2)
    const { forms: merged } = await merge([source("dora", forms, 1)], { method: "svd", rank: 16 })
    const w = await base.read(`${q}.weight`)
    const update = denseDeltas([{ forms: [forms[0]!], weight: 1 }]).get(q)!
    const ratio = (forms[1] as Extract<Form, { form: "scale" }>).vector.data
    const { inFeatures } = sizes.get(q)!
    const wanted = Float64Array.from(w, (x, at) => ratio[Math.floor(at / inFeatures)]! * (x + update[at]!) - x)
    expect(relativeError(denseDeltas([{ forms: merged, weight: 1 }]), new Map([[q, wanted]]))).toBeLessThan(1e-5)
  })
  test("with LoRA sums the true changes", async () => {
    const forms = await dora(q, "dora", 0.9)
    const both = [source("dora", forms, 0.5), source("first", first, 0.5)]
    const { report } = await merge(both, { method: "svd", rank: 16 })
    expect(report!.error).toBeLessThan(1e-6)
  })
  for (const method of ["linear", "cat"] as MergeMethod[])
    test(`by ${method} is refused: its factors alone are not its change`, async () => {
      const forms = await dora(q, "dora", 1.2)
      const merging = merge([source("dora", forms, 1), source("first", first, 1)], { method })
      expect(merging).rejects.toMatchObject({ code: "unsupported", hint: expect.stringContaining("svd") })
    })
  test("leaves biases of the base alone, as its forms take back what they scale", async () => {
    const biased = { ...base, sites: qwen2.sites(qwen2.parseConfig({ ...shape, use_sliding_window: false })) }
    const forms = await dora(q, "dora", 1.2)
    const bias = await base.read(`${q}.bias`)
    const ratio = (forms[1] as Extract<Form, { form: "scale" }>).vector.data
    const back = f32(
      [bias.length],
      bias.map((b, i) => b * (1 - ratio[i]!)),
    )
    const whole: Form[] = [...forms, { form: "bias", path: q, vector: back }]
    const { report } = await mergeAdapters([source("dora", whole, 1)], { method: "svd", rank: 16 }, biased)
    expect(report!.error).toBeLessThan(1e-5)
    // Without that form the bias does change, and so says what comes out.
    const { forms: changed } = await mergeAdapters([source("dora", forms, 1)], { method: "svd", rank: 16 }, biased)
    const found = changed.find((form) => form.form === "bias")
    expect(found).toMatchObject({ form: "bias", path: q })
    if (found?.form === "bias")
      for (const [i, x] of found.vector.data.entries()) expect(x).toBeCloseTo(bias[i]! * (ratio[i]! - 1), 5)
  })

  test("biases beside low-rank updates merge as each method merges weights", async () => {
    const biasForm = (seed: string): Form => ({
      form: "bias",
      path: q,
      vector: f32([sizes.get(q)!.outFeatures], values(sizes.get(q)!.outFeatures, seed)),
    })
    const one = source("one", [lowrank("one", q, 2, 0.5), biasForm("x")], 0.75)
    const other = source("other", [lowrank("other", q, 3, 1), biasForm("y")], -0.5)
    const none = source("none", [lowrank("none", q, 2, 1)], 2)
    const [x, y] = ["x", "y"].map((seed) => values(sizes.get(q)!.outFeatures, seed)) as [Float32Array, Float32Array]
    for (const method of ["linear", "cat", "svd"] as const) {
      const { forms } = await mergeAdapters([one, other, none], { method, rank: 7 }, base)
      const bias = forms.find((form) => form.form === "bias")
      if (bias?.form !== "bias") throw new Error("Expected a bias")
      for (const [i, value] of bias.vector.data.entries()) expect(value).toBeCloseTo(0.75 * x[i]! - 0.5 * y[i]!, 6)
    }
    const { forms } = await mergeAdapters([{ ...one, weight: 1 }], { method: "ties", density: 1 }, base)
    const alone = forms.find((form) => form.form === "bias")
    expect(alone?.form === "bias" && alone.vector.data).toEqual(x)
    expect((await mergeAdapters([none], { method: "linear" }, base)).forms.map(({ form }) => form)).toEqual(["lowrank"])
  })
})

describe("merging refuses", () => {
  const prompt: Form = { form: "prompt", embeddings: f32([1, 16], values(16, "prompt")) }
  const rows: readonly (readonly [string, readonly MergeSource[], Recipe, RegExp])[] = [
    ["nothing", [], { method: "linear" }, /no adapter/],
    ["an empty adapter", [source("none", [], 1)], { method: "linear" }, /"none" is empty/],
    [
      "adapters of different kinds",
      [source("first", first, 1), source("prompt", [prompt], 1)],
      { method: "linear" },
      /"first" is made of low-rank updates, "prompt" is made of soft prompts/,
    ],
    ["product of low-rank updates", [source("first", first, 1)], { method: "product" }, /product/],
    ["slerp of three", three, { method: "slerp" }, /two adapters but found 3/],
    ["a rank of 0", three, { method: "svd", rank: 0 }, /rank.*above 0.*found 0/],
    ["a density of 2", three, { method: "ties", density: 2 }, /density.*found 2/],
    [
      "a layer that the base lacks",
      [source("first", [{ ...first[0]!, path: "model.layers.9.mlp.up_proj" }], 1)],
      { method: "linear" },
      /model\.layers\.9\.mlp\.up_proj.*"twig" lacks/,
    ],
    [
      "factors of another size",
      [source("first", [{ ...first[0]!, path: down }], 1), source("third", third, 1)],
      { method: "linear" },
      /expected factors \[r, 24\]/,
    ],
  ]
  for (const [name, sources, recipe, message] of rows)
    test(name, () => expect(merge(sources, recipe)).rejects.toThrow(message))
})
