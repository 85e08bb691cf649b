/**
 * @module Sites: the places of an architecture where a fine-tuning method may act. An architecture lists its sites, a
 * method says which of them it wants; nothing else couples the two (after adapter-hub/adapters `interface.py`).
 */

/** What a linear layer does in its block. `qkv` and `gate_up` are layers that come fused in the checkpoint. */
export type LinearRole = "q" | "k" | "v" | "o" | "qkv" | "gate" | "up" | "gate_up" | "down" | "head"

/** A linear layer y = W x + b. */
export interface LinearSite {
  readonly kind: "linear"
  /** The Hugging Face module path, such as `model.layers.0.self_attn.q_proj`. */
  readonly path: string
  readonly role: LinearRole
  readonly layer: number
  readonly inFeatures: number
  readonly outFeatures: number
  /** Weights are [out, in], or [in, out] where this is true (GPT-2's Conv1D; PEFT's `fan_in_fan_out`). */
  readonly transposed: boolean
  readonly bias: boolean
}

/** A norm with a scale, and a bias where it is a LayerNorm. Those of `q` and `k` norm queries and keys. */
export interface NormSite {
  readonly kind: "norm"
  readonly path: string
  readonly role: "attention" | "q" | "k" | "mlp" | "final"
  readonly layer: number
  /** Size of its weight: a head's features where it norms each head by itself. */
  readonly features: number
  readonly bias: boolean
}

/** The sum at the end of an attention or MLP sub-layer, where bottleneck adapters sit. */
export interface ResidualSite {
  readonly kind: "residual"
  readonly path: string
  readonly role: "attention" | "mlp"
  readonly layer: number
  readonly features: number
}

/** An embedding table [entries, features]; `head` where the same table is also the output layer. */
export interface EmbeddingSite {
  readonly kind: "embedding"
  readonly path: string
  readonly role: "tokens" | "positions"
  readonly entries: number
  readonly features: number
  readonly tiedHead: boolean
}

/** The output layer of a base whose token embedding is also that: a method may give it weights of its own. */
export interface TiedHeadSite {
  readonly kind: "tied_head"
  readonly path: "lm_head"
  /** The checkpoint's name of the table. */
  readonly weight: string
  readonly inFeatures: number
  readonly outFeatures: number
}

/** The one place before the first token where virtual token embeddings go. */
export interface PromptSite {
  readonly kind: "prompt"
  readonly path: ""
  readonly features: number
}

/** The keys and values before the first token, in every layer at once. */
export interface PrefixSite {
  readonly kind: "prefix"
  readonly path: ""
  readonly layers: number
  readonly kvHeads: number
  readonly headDim: number
}

/** Any site. */
export type Site = LinearSite | NormSite | ResidualSite | EmbeddingSite | TiedHeadSite | PromptSite | PrefixSite
