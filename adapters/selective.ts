/**
 * @module Selective fine-tuning: whole weights of chosen layers, the rest frozen. The result is a base of its own, which
 * differs from the first only there.
 *
 * Source: Lee et al. 2019, "What Would Elsa Do? Freezing Layers During Transformer Fine-Tuning", https://arxiv.org/abs/1911.03090.
 */
import * as v from "valibot"
import { EspalierError } from "../src/core/errors.ts"
import { defineMethod, type ParameterSpec } from "../src/method.ts"
import { matchesTargets, targetsSchema } from "./targets.ts"

const whole = v.pipe(v.number(), v.integer(), v.minValue(0))

const config = v.strictObject({
  /** Linear layers that are trained; null for none. */
  targets: v.optional(v.nullable(targetsSchema), "all-linear"),
  /** Only in these layers, by number; null for all. */
  layers: v.optional(v.nullable(v.array(whole)), null),
  /** Only in the last n layers; null for all. */
  lastLayers: v.optional(v.nullable(v.pipe(whole, v.minValue(1))), 1),
  /** The norms of those layers too. */
  norms: v.optional(v.boolean(), false),
})

const copy = (path: string, name: "weight" | "bias", shape: readonly number[]): ParameterSpec<"weight" | "bias"> => ({
  name,
  key: `${path}.${name}`,
  shape,
  init: { kind: "weight", name: `${path}.${name}` },
  decay: shape.length > 1,
})

export const selective = defineMethod({
  name: "selective",
  summary:
    "whole weights of chosen layers, the last one unless told otherwise: less memory than full, a base of its own",
  source: "https://arxiv.org/abs/1911.03090",
  config,
  learningRate: 3e-4,
  params(site, c, env) {
    if (site.kind !== "linear" && site.kind !== "norm") return []
    const { layers: count } = env.config
    if (c.lastLayers !== null && c.lastLayers > count)
      throw new EspalierError("invalid_request", `Expected at most ${count} last layers but found ${c.lastLayers}`, {
        param: "method.lastLayers",
      })
    const isIn =
      (c.layers === null || c.layers.includes(site.layer)) &&
      (c.layers !== null || c.lastLayers === null || site.layer >= count - c.lastLayers)
    if (!isIn || site.role === "head") return []
    if (site.kind === "norm") {
      if (!c.norms) return []
      return [
        copy(site.path, "weight", [site.features]),
        ...(site.bias ? [copy(site.path, "bias", [site.features])] : []),
      ]
    }
    if (c.targets === null || !matchesTargets(site.path, c.targets)) return []
    const shape = site.transposed ? [site.inFeatures, site.outFeatures] : [site.outFeatures, site.inFeatures]
    return [copy(site.path, "weight", shape), ...(site.bias ? [copy(site.path, "bias", [site.outFeatures])] : [])]
  },
  hooks: {
    linear: ({ x, base }, replacement) => base(x, replacement),
    norm: ({ x, base }, replacement) => base(x, replacement),
  },
  finish: (site, p) =>
    site.kind === "linear" || site.kind === "norm"
      ? Object.entries(p).map(([name, value]) => ({ form: "weights" as const, name: `${site.path}.${name}`, value }))
      : [],
  peft: null,
})
