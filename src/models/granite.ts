/**
 * @module Granite 3 (https://arxiv.org/abs/2405.04324): Llama's block with factors on embeddings, scores, sub-layers and
 * logits. Reference: transformers `models/granite/modeling_granite.py`.
 */
import { llamaLikeConfig } from "./blocks/llama-config.ts"
import { biasesOf, llamaLike } from "./blocks/llama-layout.ts"
import { positive } from "./config-reader.ts"

export const granite = llamaLike("granite", (json) => {
  const shared = llamaLikeConfig(json, { modelType: "granite", defaults: { positions: 2048 } })
  return {
    config: { ...shared, attentionScale: positive(json, "attention_multiplier", 1) },
    traits: { biases: biasesOf(json) },
    scales: {
      rowScale: positive(json, "embedding_multiplier", 1),
      branchScale: positive(json, "residual_multiplier", 1),
      // Logits are divided: the head is linear, so its input may be.
      lastScale: 1 / positive(json, "logits_scaling", 1),
    },
  }
})
