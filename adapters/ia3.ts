/**
 * @module (IA)^3: learned vectors that scale keys, values and the inputs of the feed-forward's last layer.
 *
 * Source: Liu et al. 2022, https://arxiv.org/abs/2205.05638. PEFT layout: `<path>.ia3_l`, [out, 1] where the output is
 * scaled and [1, in] where the input is (layers of `feedforward_modules`).
 */
import * as v from "valibot"
import { f32 } from "../src/core/tensor.ts"
import { defineMethod } from "../src/method.ts"
import type { LinearSite, Site } from "../src/models/site.ts"
import { excludedBy, isTransposed, refuseForeign } from "./lora-settings.ts"
import { endsOf, matchesTargets, targetsSchema } from "./targets.ts"

const config = v.strictObject({
  /** Layers that are scaled; null for keys, values and the feed-forward's last layer, whatever they are called. */
  targets: v.optional(v.nullable(targetsSchema), null),
  /** Layers that stay as they are although `targets` names them. */
  exclude: v.optional(v.nullable(targetsSchema), null),
  /** Those of them whose input is scaled, none where empty; null for the feed-forward's last layer. */
  feedForward: v.optional(v.nullable(v.union([v.pipe(v.array(v.string()), v.maxLength(0)), targetsSchema])), null),
})
type Config = v.InferOutput<typeof config>

const ROLES: readonly LinearSite["role"][] = ["k", "v", "qkv", "down"]

const isScaled = (site: Site, { targets, exclude }: Config): site is LinearSite =>
  site.kind === "linear" &&
  site.role !== "head" &&
  (exclude === null || !matchesTargets(site.path, exclude)) &&
  (targets === null ? ROLES.includes(site.role) : matchesTargets(site.path, targets))

const scalesInput = (site: LinearSite, { feedForward }: Config): boolean =>
  feedForward === null ? site.role === "down" : feedForward.length > 0 && matchesTargets(site.path, feedForward)

export const ia3 = defineMethod({
  name: "ia3",
  summary: "vectors that scale keys, values and the feed-forward: a few thousand numbers, quick, for light changes",
  source: "https://arxiv.org/abs/2205.05638",
  config,
  learningRate: 2e-2,
  params(site, c) {
    if (!isScaled(site, c)) return []
    const shape = scalesInput(site, c) ? [1, site.inFeatures] : [site.outFeatures, 1]
    return [{ name: "ia3_l", key: `base_model.model.${site.path}.ia3_l`, shape, init: { kind: "ones" } }]
  },
  hooks: {
    linear({ g, x, base, site }, { ia3_l }, c) {
      if (scalesInput(site, c)) return base(g.mul(x, ia3_l))
      return g.mul(base(x), g.reshape(ia3_l, [1, site.outFeatures]))
    },
  },
  finish(site, { ia3_l }, c) {
    if (site.kind !== "linear") return []
    const side = scalesInput(site, c) ? "input" : "output"
    return [{ form: "scale", path: site.path, side, vector: f32([ia3_l.data.length], ia3_l.data) }]
  },
  peft: {
    type: "IA3",
    write(c, { sites }) {
      const scaled = sites.filter((site) => isScaled(site, c))
      return {
        auto_mapping: null,
        exclude_modules: null,
        fan_in_fan_out: isTransposed(sites),
        feedforward_modules: endsOf(
          scaled.filter((site) => scalesInput(site, c)),
          sites,
        ),
        init_ia3_weights: true,
        modules_to_save: null,
        revision: null,
        target_modules: endsOf(scaled, sites),
        task_type: "CAUSAL_LM",
      }
    },
    read(json) {
      refuseForeign(json, { modules_to_save: null })
      return {
        targets: json["target_modules"],
        exclude: excludedBy(json),
        feedForward: json["feedforward_modules"] ?? null,
      }
    },
  },
})
