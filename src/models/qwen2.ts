/**
 * @module Qwen2 and Qwen2.5 (https://arxiv.org/abs/2407.10671): Llama's block with biases on q, k and v.
 * Reference: transformers `models/qwen2/modeling_qwen2.py`.
 */
import { llamaLikeConfig } from "./blocks/llama-config.ts"
import { llamaLike } from "./blocks/llama-layout.ts"
import { qwenAttention } from "./blocks/qwen-attention.ts"

export const qwen2 = llamaLike("qwen2", (json) => ({
  config: llamaLikeConfig(json, {
    modelType: "qwen2",
    defaults: { positions: 32768, kvHeads: 32 },
    attention: qwenAttention(json),
  }),
  traits: { biases: { qkv: true, o: false, mlp: false } },
}))
