/**
 * @module Llama 2 and 3 (https://arxiv.org/abs/2307.09288): rotary grouped-query attention, RMSNorm, SwiGLU, no biases.
 * Reference: transformers `models/llama/modeling_llama.py`. SmolLM2 and sprig have this layout.
 */
import type { Architecture } from "./architecture.ts"
import { llamaLikeConfig, llamaLikeForward, llamaLikeSites, llamaLikeWeights } from "./blocks/llama-layout.ts"
import { asObject, expectOneOf } from "./config-reader.ts"

export const llama: Architecture = {
  modelType: "llama",
  tokenEmbedding: "model.embed_tokens",
  parseConfig(json) {
    const object = asObject(json)
    expectOneOf(object, "attention_bias", [false], false)
    expectOneOf(object, "mlp_bias", [false], false)
    return llamaLikeConfig(object, "llama")
  },
  weights: (config) => llamaLikeWeights(config, false),
  sites: (config) => llamaLikeSites(config, false),
  forward: llamaLikeForward,
}
