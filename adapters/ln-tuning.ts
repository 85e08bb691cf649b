/**
 * @module Norm tuning: the scales of the norms (and their biases, where they have them) are trained, nothing else.
 *
 * Source: Zhao et al. 2023, https://arxiv.org/abs/2312.11420. PEFT layout: `<path>.ln_tuning_layers.weight` [hidden],
 * `<path>.ln_tuning_layers.bias` [hidden].
 */
import * as v from "valibot"
import { defineMethod, type ParameterSpec } from "../src/method.ts"
import type { NormSite, Site } from "../src/models/site.ts"
import { excludedBy, refuseForeign } from "./lora-settings.ts"
import { endsOf, matchesTargets, targetsSchema } from "./targets.ts"

const config = v.strictObject({
  /** Norms by the end of their path or a regular expression; null for all. */
  targets: v.optional(v.nullable(targetsSchema), null),
  /** Norms that stay as they are although `targets` names them. */
  exclude: v.optional(v.nullable(targetsSchema), null),
})
type Config = v.InferOutput<typeof config>

const isMeant = (site: Site, { targets, exclude }: Config): site is NormSite =>
  site.kind === "norm" &&
  (targets === null || matchesTargets(site.path, targets)) &&
  (exclude === null || !matchesTargets(site.path, exclude))

const copy = (name: "weight" | "bias", { path, features }: NormSite): ParameterSpec<"weight" | "bias"> => ({
  name,
  key: `base_model.model.${path}.ln_tuning_layers.${name}`,
  shape: [features],
  init: { kind: "weight", name: `${path}.${name}` },
  decay: false,
})

export const lnTuning = defineMethod({
  name: "ln_tuning",
  summary: "the norms' scales only: a few thousand numbers of the base itself",
  source: "https://arxiv.org/abs/2312.11420",
  config,
  learningRate: 1e-2,
  params: (site, c) => (isMeant(site, c) ? [copy("weight", site), ...(site.bias ? [copy("bias", site)] : [])] : []),
  hooks: { norm: ({ x, base }, replacement) => base(x, replacement) },
  finish: (site, p) =>
    site.kind === "norm"
      ? Object.entries(p).map(([name, value]) => ({ form: "weights" as const, name: `${site.path}.${name}`, value }))
      : [],
  peft: {
    type: "LN_TUNING",
    write: (c, { sites }) => ({
      auto_mapping: null,
      exclude_modules: null,
      modules_to_save: null,
      revision: null,
      target_modules: endsOf(
        sites.filter((site) => isMeant(site, c)),
        sites,
      ),
      task_type: "CAUSAL_LM",
    }),
    read(json) {
      refuseForeign(json, { modules_to_save: null })
      return { targets: json["target_modules"], exclude: excludedBy(json) }
    },
  },
})
