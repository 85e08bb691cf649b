/**
 * @module Llama 2, 3 and 3.x (https://arxiv.org/abs/2307.09288): rotary grouped-query attention, RMSNorm, SwiGLU.
 * Reference: transformers `models/llama/modeling_llama.py`. SmolLM2 and sprig have this layout.
 */
import { llamaLikeConfig } from "./blocks/llama-config.ts"
import { biasesOf, llamaLike } from "./blocks/llama-layout.ts"

export const llama = llamaLike("llama", (json) => ({
  config: llamaLikeConfig(json, { modelType: "llama", defaults: { positions: 2048 } }),
  traits: { biases: biasesOf(json) },
}))
