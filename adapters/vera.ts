/**
 * @module VeRA: one frozen pair of random matrices for all layers, of which each layer learns two scaling vectors:
 * y = W x + b * (B (d * (A x))). A layer takes the first rows and columns that it needs.
 *
 * Source: Kopiczko et al. 2023, https://arxiv.org/abs/2310.11454. PEFT layout: `<path>.vera_lambda_d` [r],
 * `<path>.vera_lambda_b` [out], and once `base_model.vera_A` [r, most inputs], `base_model.vera_B` [most outputs, r].
 */
import * as v from "valibot"
import { f32, type Tensor } from "../src/core/tensor.ts"
import type { Value } from "../src/graph/ir.ts"
import { defineMethod, type Init, type MethodEnv } from "../src/method.ts"
import type { LinearSite, Site } from "../src/models/site.ts"
import { excludedBy, isTransposed, layersOf, refuseForeign } from "./lora-settings.ts"
import { isTarget, targetModules, targetsSchema } from "./targets.ts"

const config = v.strictObject({
  rank: v.optional(v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(65536)), 256),
  targets: v.optional(targetsSchema, "all-linear"),
  layers: v.optional(v.nullable(v.array(v.pipe(v.number(), v.integer(), v.minValue(0)))), null),
  /** Layers that stay as they are although `targets` names them. */
  exclude: v.optional(v.nullable(targetsSchema), null),
  /** Where the inner vector d begins; b begins at zero. */
  dInitial: v.optional(v.pipe(v.number(), v.finite()), 0.1),
  dropout: v.optional(v.pipe(v.number(), v.minValue(0), v.maxValue(1)), 0),
})
type Config = v.InferOutput<typeof config>

const isMeant = (site: Site, c: Config): site is LinearSite => isTarget(site, c) && site.role !== "head"

/** The widest input and output of the layers that are meant. */
function widest({ sites }: MethodEnv, c: Config): { inputs: number; outputs: number } {
  const meant = sites.filter((site) => isMeant(site, c))
  return {
    inputs: Math.max(...meant.map(({ inFeatures }) => inFeatures)),
    outputs: Math.max(...meant.map(({ outFeatures }) => outFeatures)),
  }
}

/** kaiming_uniform for a rectifier: a bound of sqrt(6 / fan). */
const kaiming = (fan: number): Init => ({ kind: "uniform", bound: Math.sqrt(6 / fan) })

export const vera = defineMethod({
  name: "vera",
  summary: "two vectors a layer over random matrices that all layers share: a tenth of LoRA's parameters or less",
  source: "https://arxiv.org/abs/2310.11454",
  config,
  learningRate: 2e-2,
  params(site, c, env) {
    if (!isMeant(site, c)) return []
    const { inputs, outputs } = widest(env, c)
    const key = `base_model.model.${site.path}`
    const constant = c.dInitial
    return [
      {
        name: "lambda_d",
        key: `${key}.vera_lambda_d`,
        shape: [c.rank],
        init: { kind: "computed", make: () => new Float32Array(c.rank).fill(constant) },
      },
      { name: "lambda_b", key: `${key}.vera_lambda_b`, shape: [site.outFeatures], init: { kind: "zeros" } },
      { name: "A", key: "base_model.vera_A", shape: [c.rank, inputs], init: kaiming(inputs), frozen: true },
      { name: "B", key: "base_model.vera_B", shape: [outputs, c.rank], init: kaiming(c.rank), frozen: true },
    ]
  },
  hooks: {
    linear({ g, x, base, site, dropout }, { lambda_d, lambda_b, A, B }, c) {
      const a = firstOf(A, 1, site.inFeatures, (value, sizes) => g.split(value, 1, sizes)[0]!)
      const b = firstOf(B, 0, site.outFeatures, (value, sizes) => g.split(value, 0, sizes)[0]!)
      const inner = g.mul(g.gemm(dropout(x, c.dropout), a, { transB: true }), g.reshape(lambda_d, [1, c.rank]))
      const outer = g.mul(g.gemm(inner, b, { transB: true }), g.reshape(lambda_b, [1, site.outFeatures]))
      return g.add(base(x), outer)
    },
  },
  finish(site, { lambda_d, lambda_b, A, B }, c) {
    if (site.kind !== "linear") return []
    const { path, inFeatures, outFeatures } = site
    const columns = A.shape[1]!
    const a = cells(c.rank, inFeatures, (k, i) => lambda_d.data[k]! * A.data[k * columns + i]!)
    const b = cells(outFeatures, c.rank, (o, k) => lambda_b.data[o]! * B.data[o * c.rank + k]!)
    return [{ form: "lowrank", path, a, b, scale: 1 }]
  },
  peft: {
    type: "VERA",
    write: (c, { sites }) => ({
      auto_mapping: null,
      bias: "none",
      d_initial: c.dInitial,
      exclude_modules: c.exclude,
      fan_in_fan_out: isTransposed(sites),
      init_weights: true,
      layers_pattern: null,
      layers_to_transform: c.layers,
      modules_to_save: null,
      projection_prng_key: 0,
      r: c.rank,
      revision: null,
      save_projection: true,
      target_modules: targetModules(sites, c.targets),
      task_type: "CAUSAL_LM",
      vera_dropout: c.dropout,
    }),
    read(json) {
      refuseForeign(json, { bias: "none", modules_to_save: null, save_projection: true })
      return {
        rank: json["r"],
        targets: json["target_modules"],
        layers: layersOf(json),
        exclude: excludedBy(json),
        dInitial: json["d_initial"] ?? 0.1,
        dropout: json["vera_dropout"] ?? 0,
      }
    },
  },
})

/** The first `count` of an axis. */
function firstOf(value: Value, axis: number, count: number, split: (value: Value, sizes: number[]) => Value): Value {
  const size = value.shape[axis] as number
  return size === count ? value : split(value, [count, size - count])
}

const cells = (rows: number, columns: number, at: (row: number, column: number) => number): Tensor<"f32"> =>
  f32(
    [rows, columns],
    Float32Array.from({ length: rows * columns }, (_, i) => at(Math.floor(i / columns), i % columns)),
  )
