/**
 * @module Gemma 3's text models (https://arxiv.org/abs/2503.19786): Gemma 2's block with a norm over each head's queries and
 * keys instead of capped scores, five layers of six within a window, and rotary positions of another base there.
 * Reference: transformers `models/gemma3/modeling_gemma3.py`.
 */
import { gemmaArithmetic, gemmaTraits } from "./blocks/gemma.ts"
import { llamaLikeConfig, slidingLayers, windowOf } from "./blocks/llama-config.ts"
import { llamaLike } from "./blocks/llama-layout.ts"
import { ropeOf } from "./blocks/rope-config.ts"
import { asObject, count, type Json } from "./config-reader.ts"

export const gemma3 = llamaLike("gemma3_text", (json) => {
  const shared = llamaLikeConfig(json, {
    modelType: "gemma3_text",
    defaults: { positions: 131072, headDim: 256, tiedHead: true, theta: 1_000_000 },
    attention(rope, layers) {
      const window = windowOf(json, 4096)
      const local = ropeOf(localRope(json), {}, { headDim: rope.dims, positions: 131072, defaultTheta: 10_000 })
      const pattern = count(json, "sliding_window_pattern", 6)
      return slidingLayers(json, layers, (layer) => (layer + 1) % pattern !== 0).map((slides) =>
        slides ? { rope: local, window } : { rope, window: null },
      )
    },
  })
  const caps = { attention: null, logits: null }
  const traits = { ...gemmaTraits(json), queryKeyNorm: "head" } as const
  // The reference reads `attn_logit_softcapping` and then caps no score.
  return { config: { ...shared, ...gemmaArithmetic(json, shared, caps), attentionCap: null }, traits }
})

/** Rotary fields of layers with a window: those of their kind, or `rope_local_base_freq` alone. */
function localRope(json: Json): Json {
  const nested = asObject(json["rope_parameters"] ?? {}, "config.json: rope_parameters")["sliding_attention"]
  const own = nested === undefined || nested === null ? {} : asObject(nested, "config.json: sliding_attention")
  return { rope_theta: json["rope_local_base_freq"] ?? 10_000, ...own }
}
