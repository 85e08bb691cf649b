/**
 * @module AdaLoRA: an update in the form of an SVD, P diag(E) Q, whose ranks are shared out while it trains: every layer
 * begins with more than it will have, and the triplets that matter least are switched off until the budget is met.
 *
 *     y = W x + s B diag(E) A x,   s = alpha / initial rank,   loss + w mean(|A A^T - I| + |B^T B - I|)
 *
 * Source: Zhang et al. 2023, https://arxiv.org/abs/2303.10512, as PEFT's `RankAllocator` computes it. PEFT layout:
 * `<path>.lora_A` [r, in], `<path>.lora_B` [out, r], `<path>.lora_E` [r, 1], r the initial rank.
 */
import * as v from "valibot"
import { f32, type Tensor } from "../src/core/tensor.ts"
import type { GraphBuilder } from "../src/graph/builder.ts"
import type { Value } from "../src/graph/ir.ts"
import { defineMethod, type ParameterSpec, type UpdateContext } from "../src/method.ts"
import type { Site } from "../src/models/site.ts"
import { excludedBy, isTransposed, layersOf, refuseForeign } from "./lora-settings.ts"
import { isTarget, targetModules, targetsSchema } from "./targets.ts"

const part = v.pipe(v.number(), v.minValue(0), v.maxValue(1))
const rank = v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(4096))

const config = v.strictObject({
  /** Ranks that layers have in the end, on average. */
  rank: v.optional(rank, 8),
  /** Ranks that every layer begins with. */
  initRank: v.optional(rank, 12),
  alpha: v.optional(v.pipe(v.number(), v.finite(), v.gtValue(0)), 32),
  dropout: v.optional(part, 0),
  targets: v.optional(targetsSchema, "all-linear"),
  layers: v.optional(v.nullable(v.array(v.pipe(v.number(), v.integer(), v.minValue(0)))), null),
  /** Layers that stay as they are although `targets` names them. */
  exclude: v.optional(v.nullable(targetsSchema), null),
  /** The part of the run before ranks are taken away. */
  warmup: v.optional(part, 0.1),
  /** The part of the run at its end in which ranks stay as they are. */
  settled: v.optional(part, 0.4),
  /** Updates from one sharing out to the next. */
  every: v.optional(v.pipe(v.number(), v.integer(), v.minValue(1)), 1),
  /** Memory of the importance and of its uncertainty. */
  beta1: v.optional(part, 0.85),
  beta2: v.optional(part, 0.85),
  /**
   * Which ranks of a layer are left once they have been shared out, by `<path>.lora_E`: those alone are in the file, and
   * nothing is shared out any more. @default none, where training has not come to that
   */
  rankPattern: v.optional(v.record(v.string(), v.array(v.boolean())), {}),
  /** Weight of what keeps A and B orthogonal. */
  orthogonality: v.optional(v.pipe(v.number(), v.finite(), v.minValue(0)), 0.5),
})
type Config = v.InferOutput<typeof config>

/** Of the rank that layers began with, however many are left, as PEFT. */
const scaleOf = (c: Config): number => c.alpha / (c.initRank + 1e-5)

/** Ranks of a layer. */
function rankOf(path: string, c: Config): number {
  const kept = c.rankPattern[`${path}.lora_E`]
  return kept ? kept.filter(Boolean).length : c.initRank
}

/** Whether the ranks have been shared out for good. */
const isShared = (c: Config): boolean => Object.keys(c.rankPattern).length > 0

/** A rank pattern without the adapter's name, which PEFT has in it until it saves. */
const unnamed = (pattern: object): object =>
  Object.fromEntries(Object.entries(pattern).map(([key, kept]) => [key.replace(/\.default$/, ""), kept]))

/** What is trained at a layer, and what is remembered of each: the moving importance, its uncertainty, the mask. */
type Trained = "A" | "B" | "E"
type Name = Trained | `${Trained}.importance` | `${Trained}.uncertainty` | "mask"
const trainedNames: readonly Trained[] = ["A", "B", "E"]

/** |M M^T - I|, in the Frobenius norm, for M [r, n]. */
function unorthogonal(g: GraphBuilder, m: Value, r: number): Value {
  const eye = g.constant(
    f32(
      [r, r],
      Float32Array.from({ length: r * r }, (_, i) => (i % (r + 1) === 0 ? 1 : 0)),
    ),
  )
  const off = g.sub(g.gemm(m, m, { transB: true }), eye)
  // As |.| has no slope at zero, a little is added under the root.
  return g.sqrt(g.add(g.reduceSum(g.mul(off, off), [0, 1]), 1e-12))
}

/** Ranks left after `step` updates: all, then fewer by a cubic law, then the target. */
export function budgetAfter(
  step: number,
  steps: number,
  layers: number,
  c: Pick<Config, "rank" | "initRank" | "warmup" | "settled">,
): number {
  const first = layers * c.initRank
  const last = layers * Math.min(c.rank, c.initRank)
  const [from, to] = [Math.round(steps * c.warmup), steps - Math.round(steps * c.settled)]
  if (step <= from) return first
  if (step >= to) return last
  return Math.trunc((first - last) * (1 - (step - from) / (to - from)) ** 3 + last)
}

/** Takes note of an update's gradients, and switches off what matters least. */
function shareOut({ step, steps, values, gradients }: UpdateContext, layers: readonly string[], c: Config): void {
  const end = steps - Math.round(steps * c.settled)
  const of = (layer: string, name: Name): Float32Array => values.get(keyOf(layer, name))!
  if (step < end) {
    for (const layer of layers)
      for (const name of trainedNames) {
        const value = of(layer, name)
        const gradient = gradients.get(keyOf(layer, name))!
        const importance = of(layer, `${name}.importance`)
        const uncertainty = of(layer, `${name}.uncertainty`)
        for (let i = 0; i < value.length; i++) {
          const now = Math.abs(value[i]! * gradient[i]!)
          importance[i] = c.beta1 * importance[i]! + (1 - c.beta1) * now
          uncertainty[i] = c.beta2 * uncertainty[i]! + (1 - c.beta2) * Math.abs(now - importance[i]!)
        }
      }
  }
  const isDue = step > Math.round(steps * c.warmup) && (step === end || (step < end && step % c.every === 0))
  if (isDue) mask(layers, of, step, steps, c)
  // In between, what is switched off may come back: the next sharing out sees what it has become.
  if (!isDue && step <= end) return
  for (const layer of layers) {
    const [e, kept] = [of(layer, "E"), of(layer, "mask")]
    for (let k = 0; k < e.length; k++) e[k]! *= kept[k]!
  }
}

/** Keeps as many triplets as the budget allows, by their scores. */
function mask(
  layers: readonly string[],
  of: (layer: string, name: Name) => Float32Array,
  step: number,
  steps: number,
  c: Config,
): void {
  const scores = layers.flatMap((layer) => Array.from(tripletScores(layer, of, c.initRank)))
  const order = scores.map((_, i) => i).sort((i, j) => scores[j]! - scores[i]!)
  // Exactly the budget, though scores be equal: before anything was learned, all of them are zero.
  const kept = new Set(order.slice(0, budgetAfter(step, steps, layers.length, c)))
  layers.forEach((layer, i) => {
    const mask = of(layer, "mask")
    for (let k = 0; k < c.initRank; k++) mask[k] = Number(kept.has(i * c.initRank + k))
  })
}

/** The importance of each triplet of a layer: that of its E, and the means over its row of A and its column of B. */
function tripletScores(layer: string, of: (layer: string, name: Name) => Float32Array, r: number): Float64Array {
  // Looked up once: this goes through every value that is trained, in every update.
  const scoresOf = (name: Trained) => {
    const [importance, uncertainty] = [of(layer, `${name}.importance`), of(layer, `${name}.uncertainty`)]
    return (i: number): number => importance[i]! * uncertainty[i]!
  }
  const [scoreA, scoreB, scoreE] = [scoresOf("A"), scoresOf("B"), scoresOf("E")]
  const [inputs, outputs] = [of(layer, "A").length / r, of(layer, "B").length / r]
  return Float64Array.from({ length: r }, (_, k) => {
    let [a, b] = [0, 0]
    for (let i = 0; i < inputs; i++) a += scoreA(k * inputs + i)
    for (let o = 0; o < outputs; o++) b += scoreB(o * r + k)
    return scoreE(k) + a / inputs + b / outputs
  })
}

const keyOf = (path: string, name: Name): string =>
  name === "A" || name === "B" || name === "E" ? `base_model.model.${path}.lora_${name}` : `${path}.${name}`

const isMeant = (site: Site, c: Config) => isTarget(site, c) && site.role !== "head"

/** The three trained tensors of a layer. */
function trainedParams(site: Site, c: Config): ParameterSpec<Trained>[] {
  if (!isMeant(site, c) || site.kind !== "linear") return []
  const { path, inFeatures, outFeatures } = site
  const r = rankOf(path, c)
  if (r === 0) return []
  const spec = (name: Trained, shape: number[], init: ParameterSpec["init"]): ParameterSpec<Trained> => ({
    name,
    key: keyOf(path, name),
    shape,
    init,
  })
  return [
    spec("A", [r, inFeatures], { kind: "normal", std: 0.02 }),
    spec("B", [outFeatures, r], { kind: "normal", std: 0.02 }),
    spec("E", [r, 1], { kind: "zeros" }),
  ]
}

export const adalora = defineMethod({
  name: "adalora",
  summary: "LoRA that moves its ranks to the layers that need them while it trains",
  source: "https://arxiv.org/abs/2303.10512",
  config,
  learningRate: 3e-3,
  params(site, c): ParameterSpec<Name>[] {
    const trained = trainedParams(site, c)
    if (trained.length === 0 || site.kind !== "linear") return []
    if (isShared(c)) return trained
    const memory = trained.flatMap(({ name, shape }) =>
      (["importance", "uncertainty"] as const).map(
        (kind): ParameterSpec<Name> => ({
          name: `${name}.${kind}`,
          key: keyOf(site.path, `${name}.${kind}`),
          shape,
          init: { kind: "zeros" },
          state: true,
        }),
      ),
    )
    return [
      ...trained,
      ...memory,
      { name: "mask", key: keyOf(site.path, "mask"), shape: [c.initRank, 1], init: { kind: "ones" }, state: true },
    ]
  },
  stored: {
    params: trainedParams,
    from: (_site, { A, B, E }) => ({ A, B, E }),
  },
  hooks: {
    linear({ g, x, base, dropout }, { A, B, E }, c) {
      const down = g.gemm(dropout(x, c.dropout), g.mul(A, E), { transB: true })
      return g.gemm(down, B, { transB: true, alpha: scaleOf(c), c: base(x) })
    },
  },
  penalty(g, all, c) {
    if (c.orthogonality === 0) return null
    const terms = all.flatMap(({ A, B }) => {
      const r = A.shape[0] as number
      return [unorthogonal(g, A, r), unorthogonal(g, g.transpose(B, [1, 0]), r)]
    })
    return g.mul(
      terms.reduce((sum, term) => g.add(sum, term)),
      c.orthogonality / terms.length,
    )
  },
  afterUpdate(context, all, c) {
    if (isShared(c)) return
    const paths = all.flatMap(({ site }) => (site.kind === "linear" ? [site.path] : []))
    shareOut(context, paths, c)
  },
  finish(site, { A, B, E }, c) {
    if (site.kind !== "linear") return []
    // What was switched off costs nothing to serve.
    const r = E.data.length
    const kept = Array.from({ length: r }, (_, k) => k).filter((k) => E.data[k] !== 0)
    if (kept.length === 0) return []
    const { path, inFeatures, outFeatures } = site
    const a = new Float32Array(kept.length * inFeatures)
    const b = new Float32Array(outFeatures * kept.length)
    for (const [row, k] of kept.entries()) {
      for (let i = 0; i < inFeatures; i++) a[row * inFeatures + i] = E.data[k]! * A.data[k * inFeatures + i]!
      for (let o = 0; o < outFeatures; o++) b[o * kept.length + row] = B.data[o * r + k]!
    }
    const tensor = (shape: number[], data: Float32Array): Tensor<"f32"> => f32(shape, data)
    return [
      {
        form: "lowrank",
        path,
        a: tensor([kept.length, inFeatures], a),
        b: tensor([outFeatures, kept.length], b),
        scale: scaleOf(c),
      },
    ]
  },
  peft: {
    type: "ADALORA",
    write: (c, { sites }) => ({
      alpha_pattern: {},
      auto_mapping: null,
      beta1: c.beta1,
      beta2: c.beta2,
      bias: "none",
      deltaT: c.every,
      exclude_modules: c.exclude,
      fan_in_fan_out: isTransposed(sites),
      init_lora_weights: true,
      init_r: c.initRank,
      layers_pattern: null,
      layers_to_transform: c.layers,
      lora_alpha: c.alpha,
      lora_dropout: c.dropout,
      modules_to_save: null,
      orth_reg_weight: c.orthogonality,
      r: c.rank,
      rank_pattern: isShared(c) ? c.rankPattern : null,
      revision: null,
      target_modules: targetModules(sites, c.targets),
      target_r: c.rank,
      task_type: "CAUSAL_LM",
      tfinal: 0,
      tinit: 0,
      // PEFT wants to know how long it would train.
      total_step: 1,
      use_dora: false,
      use_rslora: false,
    }),
    read(json) {
      refuseForeign(json, { bias: "none", modules_to_save: null })
      return {
        rank: json["target_r"] ?? 8,
        initRank: json["init_r"] ?? 12,
        alpha: json["lora_alpha"],
        dropout: json["lora_dropout"] ?? 0,
        targets: json["target_modules"],
        layers: layersOf(json),
        exclude: excludedBy(json),
        rankPattern: unnamed(json["rank_pattern"] ?? {}),
        beta1: json["beta1"] ?? 0.85,
        beta2: json["beta2"] ?? 0.85,
        orthogonality: json["orth_reg_weight"] ?? 0.5,
      }
    },
  },
})
