/**
 * @module Bottleneck adapters: a narrow two-layer network beside a residual branch, x + branch + s up(f(down(.))). What
 * it reads is as adapter-hub has it in models that norm first: the branch (Houlsby), the sum of branch and stream
 * (Pfeiffer), or the stream alone (parallel).
 *
 * Sources: Houlsby et al. 2019, https://arxiv.org/abs/1902.00751 (after attention and feed-forward); Pfeiffer et al. 2020,
 * https://arxiv.org/abs/2005.00247 (after the feed-forward); He et al. 2021, https://arxiv.org/abs/2110.04366 (parallel).
 * PEFT has no such type: a folder of its layout with a type of our own, `BOTTLENECK`; `<path>.adapter_down.weight`
 * [size, hidden], `<path>.adapter_up.weight` [hidden, size], and their biases.
 */
import * as v from "valibot"
import { f32 } from "../src/core/tensor.ts"
import { defineMethod } from "../src/method.ts"
import type { ResidualSite, Site } from "../src/models/site.ts"

const config = v.strictObject({
  kind: v.optional(v.picklist(["pfeiffer", "houlsby", "parallel"]), "pfeiffer"),
  /** hidden / reductionFactor is the narrow width; null for the kind's own: 16, and 2 where parallel. */
  reductionFactor: v.optional(v.nullable(v.pipe(v.number(), v.gtValue(0))), null),
  nonlinearity: v.optional(v.nullable(v.picklist(["relu", "silu", "gelu"])), null),
  /** Factor on what is added; null for the kind's own: 1, and 4 where parallel. */
  scaling: v.optional(v.nullable(v.pipe(v.number(), v.finite())), null),
  layers: v.optional(v.nullable(v.array(v.pipe(v.number(), v.integer(), v.minValue(0)))), null),
})
type Config = v.InferOutput<typeof config>

/** What adapter-hub's configurations of these names are. */
const kinds = {
  pfeiffer: { reads: "sum", attention: false, reduction: 16, nonlinearity: "relu", scaling: 1 },
  houlsby: { reads: "branch", attention: true, reduction: 16, nonlinearity: "silu", scaling: 1 },
  parallel: { reads: "stream", attention: false, reduction: 2, nonlinearity: "relu", scaling: 4 },
} as const

const scalingOf = (c: Config): number => c.scaling ?? kinds[c.kind].scaling
const nonlinearityOf = (c: Config) => c.nonlinearity ?? kinds[c.kind].nonlinearity
const sizeOf = ({ features }: ResidualSite, c: Config): number =>
  Math.max(1, Math.floor(features / (c.reductionFactor ?? kinds[c.kind].reduction)))

const isMeant = (site: Site, c: Config): site is ResidualSite =>
  site.kind === "residual" &&
  (site.role === "mlp" || kinds[c.kind].attention) &&
  (!c.layers || c.layers.includes(site.layer))

export const bottleneck = defineMethod({
  name: "bottleneck",
  summary: "small networks between the layers: room to learn something new, a little slower to serve",
  source: "https://arxiv.org/abs/1902.00751",
  config,
  learningRate: 2e-3,
  params(site, c) {
    if (!isMeant(site, c)) return []
    const size = sizeOf(site, c)
    const key = `base_model.model.${site.path}`
    return [
      {
        name: "down",
        key: `${key}.adapter_down.weight`,
        shape: [size, site.features],
        init: { kind: "normal", std: 0.02 },
      },
      { name: "downBias", key: `${key}.adapter_down.bias`, shape: [size], init: { kind: "zeros" }, decay: false },
      // At zero, so that training begins from the base itself.
      { name: "up", key: `${key}.adapter_up.weight`, shape: [site.features, size], init: { kind: "zeros" } },
      { name: "upBias", key: `${key}.adapter_up.bias`, shape: [site.features], init: { kind: "zeros" }, decay: false },
    ]
  },
  hooks: {
    residual({ g, branch, stream }, { down, downBias, up, upBias }, c) {
      const read = { branch, stream, sum: g.add(branch, stream) }[kinds[c.kind].reads]
      const narrow = g.gemm(read, down, { transB: true, c: downBias })
      const f = { relu: g.relu, silu: g.silu, gelu: g.geluTanh }[nonlinearityOf(c)]
      return g.add(branch, g.mul(g.gemm(f(narrow), up, { transB: true, c: upBias }), scalingOf(c)))
    },
  },
  finish(site, { down, downBias, up, upBias }, c) {
    if (site.kind !== "residual") return []
    const s = scalingOf(c)
    return [
      {
        form: "bottleneck",
        path: site.path,
        reads: kinds[c.kind].reads,
        down,
        downBias,
        up: f32(
          up.shape,
          up.data.map((x) => x * s),
        ),
        upBias: f32(
          upBias.shape,
          upBias.data.map((x) => x * s),
        ),
        nonlinearity: nonlinearityOf(c),
      },
    ]
  },
  peft: {
    type: "BOTTLENECK",
    write: (c) => ({
      kind: c.kind,
      layers_to_transform: c.layers,
      nonlinearity: nonlinearityOf(c),
      reduction_factor: c.reductionFactor ?? kinds[c.kind].reduction,
      scaling: scalingOf(c),
      task_type: "CAUSAL_LM",
    }),
    read: (json) => ({
      kind: json["kind"],
      layers: json["layers_to_transform"] ?? null,
      nonlinearity: json["nonlinearity"] ?? null,
      reductionFactor: json["reduction_factor"] ?? null,
      scaling: json["scaling"] ?? null,
    }),
  },
})
