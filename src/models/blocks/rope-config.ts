/**
 * @module Rotary settings of a config.json: `rope_parameters` as transformers 5 writes them, or `rope_theta`,
 * `rope_scaling` and `partial_rotary_factor` as older ones did. Reference: transformers `modeling_rope_utils.py`.
 */
import { EspalierError } from "../../core/errors.ts"
import { asObject, count, expectOneOf, flag, type Json, positive } from "../config-reader.ts"
import type { RopeScaling, RopeSettings } from "./rope-tables.ts"

/** What the settings depend on beside the fields themselves. */
export interface RopeContext {
  readonly headDim: number
  /** `max_position_embeddings`. */
  readonly positions: number
  readonly defaultTheta: number
}

const KINDS = ["default", "linear", "llama3", "yarn", "longrope", "dynamic"]

/** Rotary settings of a configuration that has one for all layers. @throws {EspalierError} `unsupported`, `invalid_file` */
export function readRope(json: Json, context: RopeContext): RopeSettings {
  const record = ropeRecord(json)
  const kinds = ["full_attention", "sliding_attention"].filter((kind) => kind in record)
  if (kinds.length > 0)
    throw new EspalierError(
      "unsupported",
      `config.json: rope_parameters has settings for each kind of layer (${kinds.join(", ")}), which this architecture doesn't know`,
      { param: "rope_parameters" },
    )
  return ropeOf(record, json, context)
}

/** The record of rotary fields: the older name counts where it says anything. */
function ropeRecord(json: Json): Json {
  const [older, newer] = ["rope_scaling", "rope_parameters"].map((field) =>
    asObject(json[field] ?? {}, `config.json: ${field}`),
  ) as [Json, Json]
  return Object.keys(older).length > 0 ? older : newer
}

/**
 * Settings from one record of rotary fields.
 * @param json the configuration, for fields that may stand beside the record
 */
export function ropeOf(rope: Json, json: Json, { headDim, positions, defaultTheta }: RopeContext): RopeSettings {
  const fields: Json = {
    original_max_position_embeddings: positions,
    ...rope,
    // As the reference: where it stands beside the record, it counts more.
    ...("original_max_position_embeddings" in json && {
      original_max_position_embeddings: json["original_max_position_embeddings"],
    }),
    rope_type: rope["rope_type"] ?? rope["type"] ?? "default",
    rope_theta: rope["rope_theta"] ?? json["rope_theta"],
    partial_rotary_factor: rope["partial_rotary_factor"] ?? json["partial_rotary_factor"],
  }
  expectOneOf(fields, "rope_type", KINDS)
  const dims = Math.trunc(headDim * positive(fields, "partial_rotary_factor", 1))
  if (dims % 2 !== 0 || dims < 2 || dims > headDim)
    throw new EspalierError("invalid_file", `config.json: ${dims} of ${headDim} features of a head can't be rotated`, {
      param: "partial_rotary_factor",
    })
  const theta = positive(fields, "rope_theta", defaultTheta)
  return { theta, dims, scaling: scalingOf(fields, dims, positions) }
}

function scalingOf(rope: Json, dims: number, positions: number): RopeScaling | null {
  const originalPositions = () => count(rope, "original_max_position_embeddings")
  switch (rope["rope_type"]) {
    case "linear":
      return { kind: "linear", factor: positive(rope, "factor") }
    case "llama3":
      return {
        kind: "llama3",
        factor: positive(rope, "factor"),
        lowFrequencyFactor: positive(rope, "low_freq_factor"),
        highFrequencyFactor: positive(rope, "high_freq_factor"),
        originalPositions: originalPositions(),
      }
    case "yarn": {
      const factor = positive(rope, "factor", positions / originalPositions())
      return {
        kind: "yarn",
        factor,
        attentionFactor: positive(rope, "attention_factor", yarnFactor(rope, factor)),
        betaFast: positive(rope, "beta_fast", 32),
        betaSlow: positive(rope, "beta_slow", 1),
        originalPositions: originalPositions(),
        truncate: flag(rope, "truncate", true),
      }
    }
    case "longrope": {
      const original = originalPositions()
      const factor = positive(rope, "factor", positions / original)
      const inferred = factor <= 1 ? 1 : Math.sqrt(1 + Math.log(factor) / Math.log(original))
      return {
        kind: "longrope",
        attentionFactor: positive(rope, "attention_factor", inferred),
        factors: factorsOf(rope, "short_factor", dims / 2),
      }
    }
    // "dynamic" changes nothing for rows of up to `max_position_embeddings`, and longer ones are refused.
    default:
      return null
  }
}

/** What YaRN scales the tables by: a scale for each of `mscale` and `mscale_all_dim`, where both are there. */
function yarnFactor(rope: Json, factor: number): number {
  const scale = (by: number) => (factor <= 1 ? 1 : 0.1 * by * Math.log(factor) + 1)
  const given = (field: string) => (rope[field] ? positive(rope, field) : null)
  const [mscale, all] = [given("mscale"), given("mscale_all_dim")]
  return mscale !== null && all !== null ? scale(mscale) / scale(all) : scale(1)
}

function factorsOf(rope: Json, field: string, length: number): number[] {
  const factors = rope[field]
  if (!Array.isArray(factors) || factors.length !== length || factors.some((x) => typeof x !== "number" || !(x > 0)))
    throw new EspalierError("invalid_file", `config.json: expected ${field} to be ${length} positive numbers`, {
      param: field,
    })
  return factors as number[]
}

/**
 * Positions that a base with these settings may be used at: with LongRoPE, those that its short factors are for, as other
 * factors apply to a whole row once it is longer.
 */
export function usablePositions(json: Json, rope: RopeSettings, positions: number): number {
  if (rope.scaling?.kind !== "longrope") return positions
  const original = json["original_max_position_embeddings"] ?? ropeRecord(json)["original_max_position_embeddings"]
  return Math.min(positions, count({ original }, "original", positions))
}
