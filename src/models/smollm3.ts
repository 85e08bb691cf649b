/**
 * @module SmolLM3: Llama's block, some layers of it without positions (https://arxiv.org/abs/2501.18795).
 * Reference: transformers `models/smollm3/modeling_smollm3.py`.
 */
import { EspalierError } from "../core/errors.ts"
import { llamaLikeConfig, slidingLayers, windowOf } from "./blocks/llama-config.ts"
import { biasesOf, llamaLike } from "./blocks/llama-layout.ts"
import { count, flag, type Json } from "./config-reader.ts"

export const smollm3 = llamaLike("smollm3", (json) => ({
  config: llamaLikeConfig(json, {
    modelType: "smollm3",
    defaults: { positions: 32768, kvHeads: 4, tiedHead: true, theta: 2_000_000 },
    attention(rope, layers) {
      const rotates = rotatingLayers(json, layers)
      const window = flag(json, "use_sliding_window", false) ? windowOf(json, null) : null
      const slides = slidingLayers(json, layers, (layer) => window !== null && !rotates[layer])
      return rotates.map((turns, layer) => ({ rope: turns ? rope : null, window: slides[layer] ? window : null }))
    },
  }),
  traits: { biases: biasesOf(json) },
}))

/** Which layers have positions: where `no_rope_layers` is 1, or all but each `no_rope_layer_interval`th. */
function rotatingLayers(json: Json, layers: number): boolean[] {
  const given = json["no_rope_layers"]
  if (given === undefined || given === null) {
    const interval = count(json, "no_rope_layer_interval", 4)
    return Array.from({ length: layers }, (_, layer) => (layer + 1) % interval !== 0)
  }
  if (!Array.isArray(given) || given.length < layers || given.some((each) => each !== 0 && each !== 1))
    throw new EspalierError(
      "invalid_file",
      `config.json: expected no_rope_layers to be 0 or 1 for each of ${layers} layers`,
      {
        param: "no_rope_layers",
      },
    )
  return given.slice(0, layers).map((each) => each === 1)
}
