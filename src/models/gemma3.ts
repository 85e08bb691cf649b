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

export const gemma3 = llamaLike("gemma3_text", (given) => {
  const json = { ...given, rope_scaling: null, rope_parameters: globalRope(given) }
  const shared = llamaLikeConfig(json, {
    modelType: "gemma3_text",
    defaults: { positions: 131072, headDim: 256, kvHeads: 4, tiedHead: true, theta: 1_000_000 },
    attention(rope, layers) {
      const window = windowOf(json, 4096)
      const local = ropeOf(localRope(given), {}, { headDim: rope.dims, positions: 131072, defaultTheta: 10_000 })
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

/** Rotary fields of one kind of layer, as transformers 5 writes them. */
function fieldsOf(json: Json, kind: string): Json {
  const nested = asObject(json["rope_parameters"] ?? {}, "config.json: rope_parameters")
  return asObject(nested[kind] ?? {}, `config.json: rope_parameters.${kind}`)
}

/** Rotary fields of layers that see everything: those of their kind, and what older files call `rope_scaling`. */
const globalRope = (json: Json): Json => ({
  ...fieldsOf(json, "full_attention"),
  ...asObject(json["rope_scaling"] ?? {}, "config.json: rope_scaling"),
})

/** Rotary fields of layers with a window: those of their kind, or `rope_local_base_freq` alone. */
const localRope = (json: Json): Json => ({
  rope_theta: json["rope_local_base_freq"] ?? 10_000,
  ...fieldsOf(json, "sliding_attention"),
})
