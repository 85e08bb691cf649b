/**
 * @module A base of which nothing is known but its config.json: enough to build graphs from, and no weight is ever read.
 * So a base can be planned for that is larger than this machine's memory, or not here at all.
 */
import type { Architecture, ModelConfig } from "../models/architecture.ts"
import type { Base } from "../models/base.ts"
import { heldWeights, type Quantization } from "../models/quantization.ts"
import { weightsLayout } from "../store/weights-file.ts"

/** A base without weights. Reading one throws a `TypeError`. */
export function baseShape(
  name: string,
  architecture: Architecture,
  config: ModelConfig,
  quantization: Quantization | null,
): Base {
  const held = quantization ? heldWeights(architecture, config, quantization) : undefined
  const { layout, size } = weightsLayout(architecture.weights(config), held)
  const none = async (): Promise<never> => {
    throw new TypeError(`Base "${name}" was opened without its weights`)
  }
  return {
    name,
    architecture,
    config,
    layout,
    weights: { hash: "", location: "weights.bin", size, path: null, bytes: none },
    ...(quantization && { quantization }),
    hash: "",
    read: none,
  }
}
