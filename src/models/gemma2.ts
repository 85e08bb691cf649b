/**
 * @module Gemma 2 (https://arxiv.org/abs/2408.00118): norms around each sub-layer that scale by 1 + w, every second layer
 * within a window, scores and logits under a cap, scaled embeddings, GELU.
 * Reference: transformers `models/gemma2/modeling_gemma2.py`.
 */
import { gemmaArithmetic, gemmaTraits } from "./blocks/gemma.ts"
import { llamaLikeConfig, slidingLayers, windowOf } from "./blocks/llama-config.ts"
import { llamaLike } from "./blocks/llama-layout.ts"

export const gemma2 = llamaLike("gemma2", (json) => {
  const shared = llamaLikeConfig(json, {
    modelType: "gemma2",
    defaults: { positions: 8192, headDim: 256, kvHeads: 4, tiedHead: true },
    attention(rope, layers) {
      const window = windowOf(json, 4096)
      return slidingLayers(json, layers, (layer) => layer % 2 === 0).map((slides) => ({
        rope,
        window: slides ? window : null,
      }))
    },
  })
  const caps = { attention: 50, logits: 30 }
  return { config: { ...shared, ...gemmaArithmetic(json, shared, caps) }, traits: gemmaTraits(json) }
})
