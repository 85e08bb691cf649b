/**
 * @module LoRA: y = W x + s B A x, with W frozen and s = alpha / r, or alpha / sqrt(r) for rsLoRA.
 *
 *     x ──┬── W (frozen) ───────────┬── y
 *         └── dropout ── A [r, in] ── B [out, r] · s
 *
 * Sources: Hu et al. 2021, https://arxiv.org/abs/2106.09685; rsLoRA: Kalajdzievski 2023, https://arxiv.org/abs/2312.03732.
 * PEFT layout: `<path>.lora_A.weight` [r, in], `<path>.lora_B.weight` [out, r].
 */
import * as v from "valibot"
import { EspalierError } from "../src/core/errors.ts"
import { defineMethod } from "../src/method.ts"
import { fromPattern, isTarget, targetModules, targetsSchema } from "./targets.ts"

const rank = v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(4096))
const alpha = v.pipe(v.number(), v.finite(), v.gtValue(0))

const config = v.strictObject({
  /** Columns of A's transpose and of B. */
  rank: v.optional(rank, 8),
  alpha: v.optional(alpha, 16),
  /** The part of A's input that is zeroed in training, with the rest scaled by 1 / (1 - dropout). */
  dropout: v.optional(v.pipe(v.number(), v.minValue(0), v.maxValue(1)), 0),
  targets: v.optional(targetsSchema, "all-linear"),
  /** Only these layers; all where null. */
  layers: v.optional(v.nullable(v.array(v.pipe(v.number(), v.integer(), v.minValue(0)))), null),
  /** Ranks of particular layers, by the end of their path or a regular expression. */
  rankPattern: v.optional(v.record(v.string(), rank), {}),
  alphaPattern: v.optional(v.record(v.string(), alpha), {}),
  /** Scale by alpha / sqrt(r) instead of alpha / r. */
  rsLora: v.optional(v.boolean(), false),
})
type Config = v.InferOutput<typeof config>

const rankOf = (path: string, c: Config): number => fromPattern(c.rankPattern, path, c.rank)

/** The factor on B A x at one layer. */
function scaleOf(path: string, c: Config): number {
  const r = rankOf(path, c)
  return fromPattern(c.alphaPattern, path, c.alpha) / (c.rsLora ? Math.sqrt(r) : r)
}

/** Options of PEFT's LoRA that change what it computes and that this method doesn't have. */
const foreign: Readonly<Record<string, unknown>> = {
  bias: "none",
  lora_bias: false,
  modules_to_save: null,
  trainable_token_indices: null,
  layer_replication: null,
  target_parameters: null,
  use_qalora: false,
  use_bdlora: null,
  alora_invocation_tokens: null,
}

export const lora = defineMethod({
  name: "lora",
  summary: "low-rank updates beside frozen linear layers: the usual choice, strong and small",
  source: "https://arxiv.org/abs/2106.09685",
  config,
  learningRate: 1e-3,
  params(site, c) {
    if (!isTarget(site, c.targets, c.layers)) return []
    if (site.role === "head")
      throw new EspalierError("unsupported", "LoRA on the output layer lm_head is not supported", {
        param: "method.targets",
      })
    const r = rankOf(site.path, c)
    const key = `base_model.model.${site.path}`
    return [
      // kaiming_uniform with a = sqrt(5), as loralib and PEFT: a bound of 1 / sqrt(in).
      {
        name: "lora_A",
        key: `${key}.lora_A.weight`,
        shape: [r, site.inFeatures],
        init: { kind: "uniform", bound: 1 / Math.sqrt(site.inFeatures) },
      },
      { name: "lora_B", key: `${key}.lora_B.weight`, shape: [site.outFeatures, r], init: { kind: "zeros" } },
    ]
  },
  hooks: {
    linear({ g, x, base, site, dropout }, { lora_A, lora_B }, c) {
      const down = g.gemm(dropout(x, c.dropout), lora_A, { transB: true }) // [N, r]
      return g.gemm(down, lora_B, { transB: true, alpha: scaleOf(site.path, c), c: base(x) })
    },
  },
  finish: (site, { lora_A, lora_B }, c) => [
    { form: "lowrank", path: site.path, a: lora_A, b: lora_B, scale: scaleOf(site.path, c) },
  ],
  peft: {
    type: "LORA",
    matches: (json) => !json["use_dora"],
    write: (c, { sites }) => ({
      alpha_pattern: c.alphaPattern,
      auto_mapping: null,
      bias: "none",
      exclude_modules: null,
      fan_in_fan_out: sites.some((site) => site.kind === "linear" && site.transposed),
      init_lora_weights: true,
      layer_replication: null,
      layers_pattern: null,
      layers_to_transform: c.layers,
      lora_alpha: c.alpha,
      lora_bias: false,
      lora_dropout: c.dropout,
      modules_to_save: null,
      r: c.rank,
      rank_pattern: c.rankPattern,
      revision: null,
      target_modules: targetModules(sites, c.targets),
      target_parameters: null,
      task_type: "CAUSAL_LM",
      trainable_token_indices: null,
      use_dora: false,
      use_rslora: c.rsLora,
    }),
    read(json) {
      for (const [option, plain] of Object.entries(foreign)) {
        const value = json[option] ?? null
        if (value !== null && value !== plain && !(Array.isArray(value) && value.length === 0)) {
          throw new EspalierError(
            "unsupported",
            `adapter_config.json: ${option} = ${JSON.stringify(value)} is not supported`,
            { param: option },
          )
        }
      }
      const layers = json["layers_to_transform"] ?? null
      return {
        rank: json["r"],
        alpha: json["lora_alpha"],
        dropout: json["lora_dropout"] ?? 0,
        targets: json["target_modules"],
        layers: typeof layers === "number" ? [layers] : layers,
        rankPattern: json["rank_pattern"] ?? {},
        alphaPattern: json["alpha_pattern"] ?? {},
        rsLora: json["use_rslora"] ?? false,
      }
    },
  },
})
