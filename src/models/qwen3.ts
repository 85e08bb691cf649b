/**
 * @module Qwen3 (https://arxiv.org/abs/2505.09388): Llama's block with a norm over each head's queries and keys, and heads
 * whose size is a setting of its own. Reference: transformers `models/qwen3/modeling_qwen3.py`.
 */
import { llamaLikeConfig } from "./blocks/llama-config.ts"
import { biasesOf, llamaLike } from "./blocks/llama-layout.ts"
import { qwenAttention } from "./blocks/qwen-attention.ts"

export const qwen3 = llamaLike("qwen3", (json) => ({
  config: llamaLikeConfig(json, {
    modelType: "qwen3",
    defaults: { positions: 32768, headDim: 128, kvHeads: 32 },
    attention: qwenAttention(json),
  }),
  traits: { queryKeyNorm: "head", biases: { ...biasesOf(json), mlp: false } },
}))
