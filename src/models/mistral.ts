/**
 * @module Mistral (https://arxiv.org/abs/2310.06825): Llama's block, each layer seeing the last `sliding_window` positions.
 * Reference: transformers `models/mistral/modeling_mistral.py`.
 */
import { llamaLikeConfig, sameInEach, windowOf } from "./blocks/llama-config.ts"
import { llamaLike } from "./blocks/llama-layout.ts"

export const mistral = llamaLike("mistral", (json) => ({
  config: llamaLikeConfig(json, {
    modelType: "mistral",
    defaults: { positions: 131072, kvHeads: 8 },
    attention: (rope, layers) => sameInEach(layers, { rope, window: windowOf(json, 4096) }),
  }),
}))
