/**
 * @module A base of random weights: where pre-training starts, and what benchmarks measure.
 */
import { rng } from "../src/core/rng.ts"
import { f32, sizeOf, type Tensor } from "../src/core/tensor.ts"
import type { Architecture, ModelConfig } from "../src/models/architecture.ts"

/** GPT-2's standard deviation of first weights, and the width it is for: products then vary alike at any width. */
const STD = 0.02
const STD_WIDTH = 768

/**
 * Random weights by checkpoint name: norms 1, biases 0, everything else normal, the projections that end a branch with
 * the deviation over sqrt(2 layers).
 * Source: Radford et al. 2019, section 2.3 (scaling of residual layers at initialisation).
 */
export function randomWeights(
  architecture: Architecture,
  config: ModelConfig,
  seed: number,
): Map<string, Tensor<"f32">> {
  const scale = STD * Math.sqrt(STD_WIDTH / config.hiddenSize)
  const weights = new Map<string, Tensor<"f32">>()
  for (const { name, shape } of architecture.weights(config).flatMap(({ parts }) => parts)) {
    const data = new Float32Array(sizeOf(shape))
    if (shape.length === 1) data.fill(name.endsWith("bias") ? 0 : 1)
    else {
      const random = rng(seed, `init:${name}`)
      const std = /(o_proj|down_proj|c_proj)\.weight$/.test(name) ? scale / Math.sqrt(2 * config.layers) : scale
      for (let i = 0; i < data.length; i++) data[i] = random.normal() * std
    }
    weights.set(name, f32(shape, data))
  }
  return weights
}
