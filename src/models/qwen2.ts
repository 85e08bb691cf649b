/**
 * @module Qwen2 and Qwen2.5 (https://arxiv.org/abs/2407.10671): Llama's block with biases on q, k and v.
 * Reference: transformers `models/qwen2/modeling_qwen2.py`.
 */
import type { Architecture } from "./architecture.ts"
import { llamaLikeConfig, llamaLikeForward, llamaLikeSites, llamaLikeWeights } from "./blocks/llama-layout.ts"
import { asObject, expectOneOf } from "./config-reader.ts"

export const qwen2: Architecture = {
  modelType: "qwen2",
  tokenEmbedding: "model.embed_tokens",
  parseConfig(json) {
    const object = asObject(json)
    expectOneOf(object, "use_sliding_window", [false], false)
    return llamaLikeConfig({ rope_theta: 1_000_000, ...object }, "qwen2")
  },
  weights: (config) => llamaLikeWeights(config, true),
  sites: (config) => llamaLikeSites(config, true),
  forward: llamaLikeForward,
}
