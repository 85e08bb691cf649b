/**
 * @module Forms: what a trained adapter is made of, whatever method made it. Serving, merging and the store know forms
 * and never methods (DESIGN section 3).
 */
import type { Tensor } from "../core/tensor.ts"

/** y += scale * B A x on a linear layer. */
export interface LowrankForm {
  readonly form: "lowrank"
  /** The layer's module path. */
  readonly path: string
  readonly a: Tensor<"f32"> // [rank, in]
  readonly b: Tensor<"f32"> // [out, rank]
  readonly scale: number
}

/** A vector that multiplies a layer's input, or its whole output: bias and low-rank update included. */
export interface ScaleForm {
  readonly form: "scale"
  readonly path: string
  readonly side: "input" | "output"
  readonly vector: Tensor<"f32"> // [in] or [out]
}

/** A vector added to the output of a linear layer or a norm. */
export interface BiasForm {
  readonly form: "bias"
  readonly path: string
  readonly vector: Tensor<"f32"> // [out]
}

/** Virtual token embeddings before the first token. */
export interface PromptForm {
  readonly form: "prompt"
  readonly embeddings: Tensor<"f32"> // [virtual tokens, hidden]
}

/** Keys and values before the first token, for one layer. */
export interface PrefixForm {
  readonly form: "prefix"
  readonly layer: number
  readonly keys: Tensor<"f32"> // [virtual tokens, kv heads, head dim]
  readonly values: Tensor<"f32"> // [virtual tokens, kv heads, head dim]
}

/** branch + up(f(down(x))) at the end of a sub-layer, x being its branch, the stream it is added to, or their sum. */
export interface BottleneckForm {
  readonly form: "bottleneck"
  readonly path: string
  readonly reads: "branch" | "stream" | "sum"
  readonly down: Tensor<"f32"> // [size, hidden]
  readonly downBias: Tensor<"f32"> // [size]
  readonly up: Tensor<"f32"> // [hidden, size]
  readonly upBias: Tensor<"f32"> // [hidden]
  readonly nonlinearity: "relu" | "silu" | "gelu"
}

/** A whole weight in place of the base's: what full and selective fine-tuning leave behind. */
export interface WeightsForm {
  readonly form: "weights"
  /** The weight's name in the base's checkpoint. */
  readonly name: string
  readonly value: Tensor<"f32">
}

/**
 * Rows of the token embedding, or of the output layer, in place of the base's; those of other tokens stay. Where one table is
 * both in the base, this changes the one side alone.
 */
export interface TableForm {
  readonly form: "table"
  /** Where tokens are looked up, or where logits come from. */
  readonly side: "input" | "output"
  /** The tokens whose rows these are; null for the whole vocabulary. */
  readonly ids: readonly number[] | null
  readonly rows: Tensor<"f32"> // [tokens, hidden]
}

/** Any form. */
export type Form =
  | LowrankForm
  | ScaleForm
  | BiasForm
  | PromptForm
  | PrefixForm
  | BottleneckForm
  | WeightsForm
  | TableForm

/** An adapter that has been read and checked against its base: immutable. */
export interface LoadedAdapter {
  /** sha256 over the adapter's tensors and configuration, in hex: what caches are keyed by, never the name. */
  readonly hash: string
  /** The method's name, for people only. */
  readonly method: string
  readonly forms: readonly Form[]
  /** Bytes of all tensors. */
  readonly sizeBytes: number
}
