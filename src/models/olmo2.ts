/**
 * @module OLMo 2 (https://arxiv.org/abs/2501.00656): Llama's block with norms after each sub-layer instead of before it, and
 * over all queries and all keys of a position. Reference: transformers `models/olmo2/modeling_olmo2.py`.
 */
import { llamaLikeConfig } from "./blocks/llama-config.ts"
import { biasesOf, llamaLike } from "./blocks/llama-layout.ts"

export const olmo2 = llamaLike("olmo2", (json) => ({
  config: llamaLikeConfig(json, { modelType: "olmo2", defaults: { positions: 2048, normEpsilon: 1e-5 } }),
  traits: { norms: "after", queryKeyNorm: "whole", biases: { ...biasesOf(json), mlp: false } },
}))
