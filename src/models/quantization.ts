/**
 * @module Which weights of a base may be held in fewer bits: those of linear layers and the token embedding, which are
 * nearly all of them. Norms, biases and learned positions stay f32.
 */
import { CODE_BLOCK, type CodeBits } from "../core/codes.ts"
import { EspalierError } from "../core/errors.ts"
import type { Runtime } from "../runtime/runtime.ts"
import { type Architecture, headWeight, type ModelConfig } from "./architecture.ts"

/**
 * Ways to hold a base's weights in fewer bits: half precision, and codes of so many bits with a scale for every 32 numbers;
 * from the most memory to the least.
 */
export const quantizations = ["f16", "int8", "int4", "int4-pure"] as const

/** One of {@link quantizations}. */
export type Quantization = (typeof quantizations)[number]

/** How a weight is held: as f16 in its own shape, or as codes [out, in]. */
export type HeldWeight =
  | { readonly bits: 16 }
  | {
      readonly bits: CodeBits
      /** Whether it is [in, out] in the checkpoint. */
      readonly transposed: boolean
    }

/** Whether weights are held as codes, for which an engine may have kernels of its own. */
export const holdsCodes = (quantization: Quantization | undefined): boolean =>
  quantization !== undefined && quantization !== "f16"

/**
 * Weights to hold so, by checkpoint name. As codes, rows that are not whole blocks are left out, and with `int4` the token
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
    const isTable = site.kind === "embedding" && site.role === "tokens"
    if (quantization === "f16") {
      if (site.kind === "linear" || isTable) found.set(name, { bits: 16 })
      continue
    }
    if (site.kind === "linear" && site.inFeatures % CODE_BLOCK === 0)
      found.set(name, { bits: name === head ? tableBits : bits, transposed: site.transposed })
    if (isTable && site.features % CODE_BLOCK === 0) found.set(name, { bits: tableBits, transposed: false })
  }
  return found
}

/** @throws {EspalierError} `unavailable` if the runtime can't compute with weights that are held so. */
export async function checkHeld(
  { name, takesF16 }: Pick<Runtime, "name" | "takesF16">,
  quantization: Quantization | undefined,
): Promise<void> {
  if (quantization !== "f16" || !takesF16 || (await takesF16())) return
  throw new EspalierError(
    "unavailable",
    `Backend ${name} can't hold weights as f16 here: its adapter has no shader-f16`,
    { param: "quantize", hint: "Hold them as int8, or leave out --quantize" },
  )
}
