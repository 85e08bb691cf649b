/**
 * @module Whole merges against PEFT 0.21's `add_weighted_adapter`, on the true deltas as its `cat` and `*_svd` have them.
 */
import { describe, expect, test } from "bun:test"
import { f32 } from "../../../src/core/tensor.ts"
import type { LowrankForm } from "../../../src/forms/form.ts"
import { mergeAdapters } from "../../../src/merge/merge.ts"
import type { Recipe } from "../../../src/merge/recipe.ts"
import type { MergeBase, MergeSource } from "../../../src/merge/source.ts"
import { llama } from "../../../src/models/llama.ts"
// torch 2.13 and PEFT 0.21 in f64: `torch.manual_seed(5)`, adapters of ranks 2, 3, 2 and alphas 4, 9, 1 with normal factors
// times 0.5, rounded to hundredths, over linear layers of 8 -> 8 and 12 -> 8; the third changes the second layer alone. The
// merges' own deltas. DARE is at density 1: what it drops is drawn otherwise here.
import oracle from "../../fixtures/merge/peft-adapters.json"
import { denseDeltas, relativeError } from "../../support/dense-delta.ts"

const base: MergeBase = {
  name: "twig",
  sites: llama.sites(
    llama.parseConfig({
      vocab_size: 16,
      hidden_size: 8,
      num_hidden_layers: 2,
      num_attention_heads: 2,
      num_key_value_heads: 1,
      intermediate_size: 12,
    }),
  ),
  read: (name) => Promise.reject(new Error(`${name} is not asked for`)),
}

const sources = Object.entries(oracle.sources).map(
  ([name, layers], i): MergeSource => ({
    name,
    weight: oracle.weights[i]!,
    forms: Object.entries(layers).map(
      ([path, { a, b, rank, scale }]): LowrankForm => ({
        form: "lowrank",
        path,
        a: f32([rank, a.length / rank], a),
        b: f32([b.length / rank, rank], b),
        scale,
      }),
    ),
  }),
)

describe("merges of adapters are PEFT's", () => {
  for (const { peft, recipe, merged } of oracle.cases) {
    const settings = Object.entries(recipe).join(" ").replaceAll(",", " ")
    test(`${settings}: ${peft}`, async () => {
      const { forms } = await mergeAdapters(sources, recipe as Recipe, base)
      const wanted = new Map(Object.entries(merged).map(([path, values]) => [path, Float64Array.from(values)]))
      expect(relativeError(denseDeltas([{ forms, weight: 1 }]), wanted)).toBeLessThan(1e-6)
    })
  }
})
