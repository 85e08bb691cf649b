/**
 * @module A frozen base, ready to be pointed into by graphs: its architecture, its settings and where its weights lie.
 */
import type { FrozenWeights } from "../runtime/runtime.ts"
import type { Architecture, ModelConfig } from "./architecture.ts"
import type { WeightLayout } from "./base-weights.ts"
import type { Quantization } from "./quantization.ts"

/** A frozen base. Immutable. */
export interface Base {
  /** What it is called in lists: the folder's name, or what the user gave. */
  readonly name: string
  readonly architecture: Architecture
  readonly config: ModelConfig
  readonly layout: WeightLayout
  readonly weights: FrozenWeights
  /** How its weights are held in fewer bits; absent where all are f32. */
  readonly quantization?: Quantization
  /** sha256 of its tensors, in hex: adapters are bound to it. */
  readonly hash: string
  /** A weight as f32, by checkpoint name. @throws {TypeError} If there is none of that name. */
  read(name: string): Promise<Float32Array>
}
