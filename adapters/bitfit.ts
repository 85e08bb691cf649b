/**
 * @module BitFit: only biases are trained, as what is added to them. Where the base's layers have none (Llama), each gets
 * one that starts at zero.
 *
 * Source: Ben Zaken et al. 2021, https://arxiv.org/abs/2106.10199. PEFT has no such type: a folder of its layout with a
 * type of our own, `BITFIT`; `<path>.bias_delta` [out].
 */
import * as v from "valibot"
import { defineMethod } from "../src/method.ts"
import type { LinearSite, NormSite, Site } from "../src/models/site.ts"
import { matchesTargets, targetModules, targetsSchema } from "./targets.ts"

const config = v.strictObject({
  /** Linear layers whose biases are trained. */
  targets: v.optional(targetsSchema, "all-linear"),
  layers: v.optional(v.nullable(v.array(v.pipe(v.number(), v.integer(), v.minValue(0)))), null),
  /** The biases of norms too, where they have them. */
  norms: v.optional(v.boolean(), true),
  /** Give a bias to layers that have none. */
  add: v.optional(v.boolean(), true),
})
type Config = v.InferOutput<typeof config>

function isBiased(site: Site, c: Config): site is LinearSite | NormSite {
  if (site.kind === "norm") return c.norms && site.bias && (!c.layers || c.layers.includes(site.layer))
  if (site.kind !== "linear" || site.role === "head" || !matchesTargets(site.path, c.targets)) return false
  return (site.bias || c.add) && (!c.layers || c.layers.includes(site.layer))
}

export const bitfit = defineMethod({
  name: "bitfit",
  summary: "biases only: nothing else of the base changes, not a product more to compute",
  source: "https://arxiv.org/abs/2106.10199",
  config,
  learningRate: 1e-2,
  params(site, c) {
    if (!isBiased(site, c)) return []
    const size = site.kind === "norm" ? site.features : site.outFeatures
    const key = `base_model.model.${site.path}.bias_delta`
    return [{ name: "delta", key, shape: [size], init: { kind: "zeros" }, decay: false }]
  },
  hooks: {
    linear: ({ g, x, base }, { delta }) => g.add(base(x), delta),
    norm: ({ g, x, base }, { delta }) => g.add(base(x), delta),
  },
  finish: (site, { delta }) =>
    site.kind === "linear" || site.kind === "norm" ? [{ form: "bias", path: site.path, vector: delta }] : [],
  peft: {
    type: "BITFIT",
    write: (c, { sites }) => ({
      add_missing: c.add,
      layers_to_transform: c.layers,
      norms: c.norms,
      target_modules: targetModules(sites, c.targets),
      task_type: "CAUSAL_LM",
    }),
    read: (json) => ({
      targets: json["target_modules"],
      layers: json["layers_to_transform"] ?? null,
      norms: json["norms"] ?? true,
      add: json["add_missing"] ?? true,
    }),
  },
})
