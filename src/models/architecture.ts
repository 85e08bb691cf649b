/**
 * @module The contract of an architecture: what it reads of `config.json`, which weights it has, at which sites a method
 * may act, and how it turns token embeddings into final hidden states. One file each, named by `model_type`.
 */
import type { Value } from "../graph/ir.ts"
import type { RopeSettings } from "./blocks/rope-tables.ts"
import type { Forward } from "./forward.ts"
import type { Site } from "./site.ts"

/** How one layer attends. */
export interface LayerAttention {
  /** How queries and keys are rotated; null where positions are learned, or where a layer has none. */
  readonly rope: RopeSettings | null
  /** Positions that a query sees, its own included; null for all before it. */
  readonly window: number | null
}

/** What every architecture's configuration comes down to. */
export interface ModelConfig {
  readonly modelType: string
  readonly vocabSize: number
  readonly hiddenSize: number
  readonly layers: number
  readonly heads: number
  readonly kvHeads: number
  readonly headDim: number
  readonly intermediateSize: number
  /** The most positions the base was made for. */
  readonly contextLength: number
  readonly normEpsilon: number
  /** How each layer attends. */
  readonly attention: readonly LayerAttention[]
  /** What a query's product with a key is multiplied by. */
  readonly attentionScale: number
  /** Scores s become c tanh(s / c) with this c, or stay as they are. */
  readonly attentionCap: number | null
  /** Logits z become c tanh(z / c) with this c, or stay as they are. */
  readonly logitCap: number | null
  /** What is added to a norm's weight before it multiplies: Gemma's norms scale by 1 + w. */
  readonly normOffset: number
  /** What embeddings of tokens are multiplied by; virtual tokens are not. */
  readonly tokenScale: number
  /** Whether the output layer is the token embedding. */
  readonly tiedHead: boolean
}

/** What a configuration says of itself where an architecture has nothing of the kind. */
export const plainArithmetic = { attentionCap: null, logitCap: null, normOffset: 0, tokenScale: 1 } as const

/** A tensor of a checkpoint. */
export interface WeightPart {
  /** Its name in the checkpoint. */
  readonly name: string
  readonly shape: readonly number[]
}

/** Weights that lie side by side in the weights blob, so that they are also one weight, joined along axis 0. */
export interface WeightGroup {
  readonly name: string
  readonly parts: readonly WeightPart[]
}

/** One architecture. */
export interface Architecture {
  /** `model_type` of config.json. */
  readonly modelType: string
  /** @throws {EspalierError} `invalid_file` naming the field, or `unsupported` naming what this version lacks. */
  parseConfig(json: unknown): ModelConfig
  weights(config: ModelConfig): WeightGroup[]
  sites(config: ModelConfig): Site[]
  /** Module path of the token embedding, whose weight is `<path>.weight`. */
  readonly tokenEmbedding: string
  /** Embeddings to final, normalised hidden states, flat [B * T, hidden]. */
  forward(f: Forward, config: ModelConfig): Value
}

/** Name of the output layer's weight. */
export const headWeight = (architecture: Architecture, config: ModelConfig): string =>
  config.tiedHead ? `${architecture.tokenEmbedding}.weight` : "lm_head.weight"
