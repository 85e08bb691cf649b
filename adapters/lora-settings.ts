/**
 * @module What LoRA and its kin share: settings, factors with their first values, and their part of PEFT's configuration.
 */
import * as v from "valibot"
import { EspalierError } from "../src/core/errors.ts"
import type { Init, InitTools, MethodEnv, ParameterSpec } from "../src/method.ts"
import type { LinearSite, Site } from "../src/models/site.ts"
import { principalPair } from "./pissa.ts"
import { fromPattern, isTarget, targetModules, targetsSchema } from "./targets.ts"

const rank = v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(8192))
const alpha = v.pipe(v.number(), v.finite(), v.gtValue(0))

/** How A and B may begin: B at zero (`kaiming`, `gaussian`), or rows of one orthogonal matrix whose product is zero. */
export const starts = ["kaiming", "gaussian", "orthogonal"] as const

/** Settings of every method with two factors. */
export const loraEntries = {
  /** Columns of A's transpose and of B. */
  rank: v.optional(rank, 8),
  alpha: v.optional(alpha, 16),
  /** The part of A's input that is zeroed in training, with the rest scaled by 1 / (1 - dropout). */
  dropout: v.optional(v.pipe(v.number(), v.minValue(0), v.maxValue(1)), 0),
  targets: v.optional(targetsSchema, "all-linear"),
  /** Only these layers; all where null. */
  layers: v.optional(v.nullable(v.array(v.pipe(v.number(), v.integer(), v.minValue(0)))), null),
  /** Layers that stay as they are although `targets` names them. */
  exclude: v.optional(v.nullable(targetsSchema), null),
  /** Ranks of particular layers, by the end of their path or a regular expression. */
  rankPattern: v.optional(v.record(v.string(), rank), {}),
  alphaPattern: v.optional(v.record(v.string(), alpha), {}),
  /** Scale by alpha / sqrt(r) instead of alpha / r. */
  rsLora: v.optional(v.boolean(), false),
  init: v.optional(v.picklist(starts), "kaiming"),
  /** LoRA+: B learns at this many times A's rate. */
  plusRatio: v.optional(v.pipe(v.number(), v.finite(), v.gtValue(0)), 1),
}

const schema = v.strictObject(loraEntries)
/** Settings of every method with two factors; `pissa` is LoRA's own, see pissa.ts. */
export type LoraSettings = Omit<v.InferOutput<typeof schema>, "init"> & {
  readonly init: (typeof starts)[number] | "pissa"
}

/** The rank at one layer. */
export const rankOf = (path: string, c: LoraSettings): number => fromPattern(c.rankPattern, path, c.rank)

/** The factor on B A x at one layer. */
export function scaleOf(path: string, c: LoraSettings): number {
  const r = rankOf(path, c)
  return fromPattern(c.alphaPattern, path, c.alpha) / (c.rsLora ? Math.sqrt(r) : r)
}

/** A and B of a layer that is meant; null for any other site, the output layer among them: see table-lora.ts. */
export function factors(site: Site, c: LoraSettings): [ParameterSpec<"lora_A">, ParameterSpec<"lora_B">] | null {
  if (!isTarget(site, c) || site.role === "head") return null
  const r = rankOf(site.path, c)
  const key = `base_model.model.${site.path}`
  const [a, b] = firstValues(site, r, c)
  return [
    { name: "lora_A", key: `${key}.lora_A.weight`, shape: [r, site.inFeatures], init: a },
    {
      name: "lora_B",
      key: `${key}.lora_B.weight`,
      shape: [site.outFeatures, r],
      init: b,
      ...(c.plusRatio !== 1 && { lrScale: c.plusRatio }),
    },
  ]
}

function firstValues(site: LinearSite, r: number, c: LoraSettings): [Init, Init] {
  const { inFeatures, outFeatures } = site
  switch (c.init) {
    case "kaiming":
      // kaiming_uniform with a = sqrt(5), as loralib and PEFT: a bound of 1 / sqrt(in).
      return [{ kind: "uniform", bound: 1 / Math.sqrt(inFeatures) }, { kind: "zeros" }]
    case "gaussian":
      return [{ kind: "normal", std: 1 / r }, { kind: "zeros" }]
    case "orthogonal":
      return orthogonalPair(r, inFeatures, outFeatures)
    case "pissa":
      return principalPair(site, r, scaleOf(site.path, c))
    default:
      return c.init satisfies never
  }
}

/** Seed of the orthogonal matrix: A and B of a layer are drawn apart and must come from the same one. */
const ORTHOGONAL_SEED = 20240413

/**
 * A = (N Q_odd)^T / 10 and B = M Q_even / 10 with normal N [in, r/2], M [out, r/2] and the odd and even rows of one
 * orthogonal Q [r, r]: both live from the first step, and B A = 0. Source: PEFT `LoraLayer.orthogonal_init`.
 */
function orthogonalPair(r: number, inFeatures: number, outFeatures: number): [Init, Init] {
  if (r % 2 !== 0)
    throw new EspalierError("invalid_request", `Orthogonal initialisation needs an even rank but found ${r}`, {
      param: "method.rank",
    })
  const q = orthogonal(r)
  const product = (n: number, parity: number, transposed: boolean) => ({
    kind: "computed" as const,
    make({ random }: InitTools) {
      const out = new Float32Array(n * r)
      for (let i = 0; i < n; i++) {
        const row = Array.from({ length: r / 2 }, () => random.normal())
        for (let j = 0; j < r; j++) {
          let sum = 0
          for (let k = 0; k < r / 2; k++) sum += row[k]! * q[2 * k + parity]![j]!
          out[transposed ? j * n + i : i * r + j] = sum / 10
        }
      }
      return out
    },
  })
  return [product(inFeatures, 1, true), product(outFeatures, 0, false)]
}

/** An orthogonal matrix [r, r], the same one for the same size: Gram-Schmidt of a fixed random one. */
function orthogonal(r: number): number[][] {
  let state = ORTHOGONAL_SEED + r
  const next = (): number => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return state / 2 ** 32 - 0.5
  }
  const rows: number[][] = []
  while (rows.length < r) {
    const row = Array.from({ length: r }, next)
    // Twice: once leaves what rounding has brought back.
    for (let pass = 0; pass < 2; pass++)
      for (const other of rows) {
        const along = row.reduce((sum, x, i) => sum + x * other[i]!, 0)
        for (let i = 0; i < r; i++) row[i]! -= along * other[i]!
      }
    const length = Math.hypot(...row)
    if (length > 1e-3) rows.push(row.map((x) => x / length))
  }
  return rows
}

/** Options of PEFT's LoRA that change what it computes and that no method here has. */
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
  arrow_config: null,
  kasa_config: null,
  monteclora_config: null,
}

/** Starts of `init_lora_weights` by which PEFT changes the base's own weights, when it loads the adapter too. */
const changesBase = /^(pissa|olora|corda|loftq|lora_ga)/i

/** @throws {EspalierError} `unsupported` naming an option of adapter_config.json that changes what is computed. */
export function refuseForeign(json: Readonly<Record<string, unknown>>, options = foreign): void {
  for (const [option, plain] of Object.entries(options)) {
    const value = json[option] ?? null
    if (value === null || value === plain || (Array.isArray(value) && value.length === 0)) continue
    throw new EspalierError(
      "unsupported",
      `adapter_config.json: ${option} = ${JSON.stringify(value)} is not supported`,
      { param: option },
    )
  }
}

/** `layers_to_transform`, a number or a list, as a setting: an empty list means all. */
export function layersOf(json: Readonly<Record<string, unknown>>): unknown {
  const layers = json["layers_to_transform"] ?? null
  if (Array.isArray(layers) && layers.length === 0) return null
  return typeof layers === "number" ? [layers] : layers
}

/** `exclude_modules` as a setting: an empty list excludes nothing. */
export function excludedBy(json: Readonly<Record<string, unknown>>): unknown {
  const excluded = json["exclude_modules"] ?? null
  return Array.isArray(excluded) && excluded.length === 0 ? null : excluded
}

/** Settings from PEFT's configuration of LoRA. */
export function readLora(json: Readonly<Record<string, unknown>>): Record<string, unknown> {
  refuseForeign(json)
  const init = json["init_lora_weights"]
  if (typeof init === "string" && changesBase.test(init))
    throw new EspalierError(
      "unsupported",
      `adapter_config.json: init_lora_weights = ${JSON.stringify(init)} belongs to a base whose weights PEFT has changed`,
      {
        param: "init_lora_weights",
        hint: "In Python, save it as a plain LoRA: save_pretrained(..., path_initial_model_for_weight_conversion=...)",
      },
    )
  return {
    rank: json["r"],
    alpha: json["lora_alpha"],
    dropout: json["lora_dropout"] ?? 0,
    targets: json["target_modules"],
    layers: layersOf(json),
    exclude: excludedBy(json),
    rankPattern: json["rank_pattern"] ?? {},
    alphaPattern: json["alpha_pattern"] ?? {},
    rsLora: json["use_rslora"] ?? false,
  }
}

/**
 * The settings that an adapter file is of: what PiSSA leaves has twice the ranks, and alphas that keep the scales.
 * Source: PEFT `PeftModel.save_pretrained` with `path_initial_model_for_weight_conversion`.
 */
function storedSettings(c: LoraSettings): LoraSettings {
  if (c.init !== "pissa") return c
  const factor = c.rsLora ? Math.SQRT2 : 2
  const times = (pattern: Readonly<Record<string, number>>, by: number): Record<string, number> =>
    Object.fromEntries(Object.entries(pattern).map(([key, value]) => [key, by * value]))
  return {
    ...c,
    init: "kaiming",
    rank: 2 * c.rank,
    alpha: factor * c.alpha,
    rankPattern: times(c.rankPattern, 2),
    alphaPattern: times(c.alphaPattern, factor),
  }
}

/** PEFT's configuration of LoRA. */
export function writeLora(trained: LoraSettings, { sites }: MethodEnv, useDora: boolean): Record<string, unknown> {
  const c = storedSettings(trained)
  return {
    alpha_pattern: c.alphaPattern,
    auto_mapping: null,
    bias: "none",
    exclude_modules: c.exclude,
    fan_in_fan_out: isTransposed(sites),
    // How they began is of no use to who loads them, and PEFT would compute it again: true is its plain start.
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
    use_dora: useDora,
    use_rslora: c.rsLora,
  }
}

/** Whether a base's linear layers hold their weights as [in, out]. */
export const isTransposed = (sites: readonly Site[]): boolean =>
  sites.some((site) => site.kind === "linear" && site.transposed)
