/**
 * @module The fields of config.json that Llama-like architectures share, and how each layer attends.
 */
import { EspalierError } from "../../core/errors.ts"
import { type LayerAttention, type ModelConfig, plainArithmetic } from "../architecture.ts"
import { count, expectOneOf, flag, type Json, positive } from "../config-reader.ts"
import { readRope, usablePositions } from "./rope-config.ts"
import type { RopeSettings } from "./rope-tables.ts"

/** What a configuration class of the reference takes where config.json has no such field. */
export interface LlamaDefaults {
  readonly positions: number
  readonly headDim?: number
  /** Key-value heads. @default as many as there are heads */
  readonly kvHeads?: number
  readonly tiedHead?: boolean
  readonly normEpsilon?: number
  readonly theta?: number
}

/** What tells one architecture's configuration from another's. */
export interface LlamaFields {
  readonly modelType: string
  readonly defaults: LlamaDefaults
  /** Whether `partial_rotary_factor` may leave a part of each head as it is. @default {false} */
  readonly partialRotary?: boolean
  /** How each layer attends, from the settings that all share. @default alike, all seeing everything before them */
  readonly attention?: (rope: RopeSettings, layers: number) => LayerAttention[]
}

/** A configuration with the fields that Llama-like architectures share. @throws {EspalierError} `invalid_file`, `unsupported` */
export function llamaLikeConfig(json: Json, fields: LlamaFields): ModelConfig {
  const { modelType, defaults, attention, partialRotary = false } = fields
  const hiddenSize = count(json, "hidden_size")
  const heads = count(json, "num_attention_heads")
  // A field that is null means what it meant before there was one, and not the class's default.
  const unless = (field: string, fallback: number | undefined): number | undefined =>
    json[field] === undefined ? fallback : undefined
  const kvHeads = count(json, "num_key_value_heads", unless("num_key_value_heads", defaults.kvHeads) ?? heads)
  const headDim = count(json, "head_dim", unless("head_dim", defaults.headDim) ?? Math.floor(hiddenSize / heads))
  if (heads % kvHeads !== 0) {
    throw new EspalierError(
      "invalid_file",
      `config.json: num_attention_heads ${heads} is no multiple of num_key_value_heads ${kvHeads}`,
    )
  }
  if (headDim % 2 !== 0)
    throw new EspalierError("invalid_file", `config.json: head_dim ${headDim} is odd, so it can't be rotated`)
  const positions = count(json, "max_position_embeddings", defaults.positions)
  const rope = readRope(json, { headDim, positions, defaultTheta: defaults.theta ?? 10_000 })
  if (rope.dims !== headDim && !partialRotary)
    throw new EspalierError(
      "unsupported",
      `config.json: ${modelType} rotates whole heads, and partial_rotary_factor asks for ${rope.dims} of ${headDim} features`,
      { param: "partial_rotary_factor" },
    )
  const layers = count(json, "num_hidden_layers")
  return {
    modelType,
    vocabSize: count(json, "vocab_size"),
    hiddenSize,
    layers,
    heads,
    kvHeads,
    headDim,
    intermediateSize: count(json, "intermediate_size"),
    contextLength: usablePositions(json, rope, positions),
    normEpsilon: positive(json, "rms_norm_eps", defaults.normEpsilon ?? 1e-6),
    attention: attention?.(rope, layers) ?? sameInEach(layers, { rope, window: null }),
    attentionScale: headDim ** -0.5,
    ...plainArithmetic,
    tiedHead: flag(json, "tie_word_embeddings", defaults.tiedHead ?? false),
  }
}

/** Every layer the same. */
export const sameInEach = (layers: number, attention: LayerAttention): LayerAttention[] =>
  Array.from({ length: layers }, () => attention)

/**
 * Which layers have a window: those that `layer_types` calls `sliding_attention`, or where the field is absent, those that
 * the architecture says.
 */
export function slidingLayers(json: Json, layers: number, otherwise: (layer: number) => boolean): boolean[] {
  const types = json["layer_types"]
  if (types === undefined || types === null) return Array.from({ length: layers }, (_, layer) => otherwise(layer))
  if (!Array.isArray(types) || types.length !== layers)
    throw new EspalierError(
      "invalid_file",
      `config.json: expected layer_types to name a kind for each of ${layers} layers`,
      {
        param: "layer_types",
      },
    )
  return types.map((type) => {
    expectOneOf({ layer_types: type }, "layer_types", ["full_attention", "sliding_attention"])
    return type === "sliding_attention"
  })
}

/** A window in positions, the fallback where the field is absent, or null where it says that there is none. */
export const windowOf = (json: Json, fallback: number | null): number | null => {
  const value = json["sliding_window"] === undefined ? fallback : json["sliding_window"]
  return value === null ? null : count({ sliding_window: value }, "sliding_window")
}
