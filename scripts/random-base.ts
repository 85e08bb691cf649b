/**
 * @module A base of random weights: where pre-training starts, and what benchmarks measure.
 */
import { rng } from "../src/core/rng.ts"
import { f32, sizeOf, type Tensor } from "../src/core/tensor.ts"
import type { Architecture, ModelConfig } from "../src/models/architecture.ts"

/** GPT-2's standard deviation of first weights; the projections that end a branch get it over sqrt(2 layers). */
const STD = 0.02

/**
 * Random weights by checkpoint name: norms 1, biases 0, everything else normal.
 * Source: Radford et al. 2019, section 2.3 (scaling of residual layers at initialisation).
 */
export function randomWeights(
  architecture: Architecture,
  config: ModelConfig,
  seed: number,
): Map<string, Tensor<"f32">> {
  const weights = new Map<string, Tensor<"f32">>()
  for (const { name, shape } of architecture.weights(config).flatMap(({ parts }) => parts)) {
    const data = new Float32Array(sizeOf(shape))
    if (shape.length === 1) data.fill(name.endsWith("bias") ? 0 : 1)
    else {
      const random = rng(seed, `init:${name}`)
      const std = /(o_proj|down_proj|c_proj)\.weight$/.test(name) ? STD / Math.sqrt(2 * config.layers) : STD
      for (let i = 0; i < data.length; i++) data[i] = random.normal() * std
    }
    weights.set(name, f32(shape, data))
  }
  return weights
}
