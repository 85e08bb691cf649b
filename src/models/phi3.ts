/**
 * @module Phi-3 and Phi-4-mini (https://arxiv.org/abs/2404.14219): Llama's block with q, k, v in one layer, gate and up in
 * another. Reference: transformers `models/phi3/modeling_phi3.py`. With LongRoPE, rows of up to
 * `original_max_position_embeddings`.
 */
import { llamaLikeConfig, sameInEach, windowOf } from "./blocks/llama-config.ts"
import { llamaLike } from "./blocks/llama-layout.ts"

export const phi3 = llamaLike("phi3", (given) => {
  const json = {
    original_max_position_embeddings: 4096,
    ...given,
    rope_scaling: longRope(given["rope_scaling"]),
    rope_parameters: longRope(given["rope_parameters"]),
  }
  return {
    config: llamaLikeConfig(json, {
      modelType: "phi3",
      defaults: { positions: 4096, normEpsilon: 1e-5 },
      partialRotary: true,
      attention: (rope, layers) => sameInEach(layers, { rope, window: windowOf(json, null) }),
    }),
    traits: { fused: true },
  }
})

/** LongRoPE by the names that earlier configurations had for it. */
function longRope(rope: unknown): unknown {
  if (typeof rope !== "object" || rope === null) return rope
  const fields = rope as { readonly type?: unknown; readonly rope_type?: unknown }
  const type = fields.rope_type ?? fields.type
  return type === "su" || type === "yarn" ? { ...rope, rope_type: "longrope" } : rope
}
