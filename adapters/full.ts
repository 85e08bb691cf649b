/**
 * @module Full fine-tuning: every weight of the base is trained. What it leaves behind is a base of its own, saved as a
 * Hugging Face folder. Also the method of pre-training, from random weights.
 */
import * as v from "valibot"
import { defineMethod, type ParameterSpec } from "../src/method.ts"

const weight = (path: string, shape: readonly number[]): ParameterSpec<"weight" | "bias"> => ({
  name: "weight",
  key: `${path}.weight`,
  shape,
  init: { kind: "weight", name: `${path}.weight` },
  decay: shape.length > 1,
})

const bias = (path: string, size: number): ParameterSpec<"weight" | "bias"> => ({
  name: "bias",
  key: `${path}.bias`,
  shape: [size],
  init: { kind: "weight", name: `${path}.bias` },
  decay: false,
})

export const full = defineMethod({
  name: "full",
  summary: "every weight of the base: the most freedom, memory and forgetting; the result is a base of its own",
  source: "https://arxiv.org/abs/1801.06146",
  config: v.strictObject({}),
  learningRate: 1e-4,
  params(site) {
    switch (site.kind) {
      case "embedding":
        return [weight(site.path, [site.entries, site.features])]
      case "norm":
        return [weight(site.path, [site.features]), ...(site.bias ? [bias(site.path, site.features)] : [])]
      case "linear": {
        const shape = site.transposed ? [site.inFeatures, site.outFeatures] : [site.outFeatures, site.inFeatures]
        return [weight(site.path, shape), ...(site.bias ? [bias(site.path, site.outFeatures)] : [])]
      }
      default:
        return []
    }
  },
  hooks: {
    linear: ({ x, base }, replacement) => base(x, replacement),
    norm: ({ x, base }, replacement) => base(x, replacement),
    embedding: (_context, p) => p.weight,
    head: (_context, p) => p.weight,
  },
  finish: (site, p) =>
    Object.entries(p).map(([name, value]) => ({ form: "weights" as const, name: `${site.path}.${name}`, value })),
  peft: null,
})
