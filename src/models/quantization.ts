/**
 * @module Which weights of a base may be held in fewer bits: those of linear layers and the token embedding, which are
 * nearly all of them. Norms, biases and learned positions stay f32.
 */
import { INT8_BLOCK } from "../core/int8.ts"
import type { Architecture, ModelConfig } from "./architecture.ts"

/** Ways to hold a base's weights in fewer bits: `int8` is 8 bits with a scale for every 32 numbers. */
export const quantizations = ["int8"] as const

/** One of {@link quantizations}. */
export type Quantization = (typeof quantizations)[number]

/**
 * Weights to hold as 8-bit codes, by checkpoint name, and whether each is [in, out] there. Rows that are not whole blocks
 * are left out.
 */
export function int8Weights(architecture: Architecture, config: ModelConfig): Map<string, { transposed: boolean }> {
  const found = new Map<string, { transposed: boolean }>()
  for (const site of architecture.sites(config)) {
    if (site.kind === "linear" && site.inFeatures % INT8_BLOCK === 0)
      found.set(`${site.path}.weight`, { transposed: site.transposed })
    if (site.kind === "embedding" && site.role === "tokens" && site.features % INT8_BLOCK === 0)
      found.set(`${site.path}.weight`, { transposed: false })
  }
  return found
}
