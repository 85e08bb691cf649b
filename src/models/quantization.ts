/**
 * @module Which weights of a base may be held in fewer bits: those of linear layers and the token embedding, which are
 * nearly all of them. Norms, biases and learned positions stay f32.
 */
import { CODE_BLOCK, type CodeBits } from "../core/codes.ts"
import { type Architecture, headWeight, type ModelConfig } from "./architecture.ts"

/**
 * Ways to hold a base's weights in fewer bits: codes of so many bits, with a scale for every 32 numbers; from the most
 * memory to the least.
 */
export const quantizations = ["int8", "int4", "int4-pure"] as const

/** One of {@link quantizations}. */
export type Quantization = (typeof quantizations)[number]

/** How a weight is held. */
export interface HeldWeight {
  readonly bits: CodeBits
  /** Whether it is [in, out] in the checkpoint. */
  readonly transposed: boolean
}

/**
 * Weights to hold as codes, by checkpoint name. Rows that are not whole blocks are left out. With `int4` the token
 * embedding and the output layer have 8 bits, as llama.cpp's Q4_0 gives them more: each logit stands on a single row.
 * `int4-pure` is what llama.cpp's quantizer does with `--pure`: these have 4 as well.
 */
export function heldWeights(
  architecture: Architecture,
  config: ModelConfig,
  quantization: Quantization,
): Map<string, HeldWeight> {
  const found = new Map<string, HeldWeight>()
  const bits = quantization === "int8" ? 8 : 4
  const tableBits = quantization === "int4-pure" ? 4 : 8
  const head = headWeight(architecture, config)
  for (const site of architecture.sites(config)) {
    const name = `${site.path}.weight`
    if (site.kind === "linear" && site.inFeatures % CODE_BLOCK === 0)
      found.set(name, { bits: name === head ? tableBits : bits, transposed: site.transposed })
    if (site.kind === "embedding" && site.role === "tokens" && site.features % CODE_BLOCK === 0)
      found.set(name, { bits: tableBits, transposed: false })
  }
  return found
}
