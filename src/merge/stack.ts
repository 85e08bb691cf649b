/**
 * @module Stacking layers: a base made of ranges of layers of one or more bases, each passed through as it is. A range that
 * comes twice is there twice. What stands before and after the layers is the first base's.
 */
import { EspalierError } from "../core/errors.ts"
import type { ModelConfig } from "../models/architecture.ts"

/** A base and which of its layers are taken, in order. */
export interface StackPart {
  /** For messages. */
  readonly name: string
  readonly config: ModelConfig
  readonly layers: readonly number[]
}

/** A layer of the stack: the part it comes from, and its number there. */
export interface StackedLayer {
  readonly part: number
  readonly layer: number
}

/** `0-3,5` as [0, 1, 2, 3, 5]; a range may run down. @throws {EspalierError} `invalid_request` */
export function parseLayers(text: string): number[] {
  return text.split(",").flatMap((range) => {
    const [, first, last = first] = /^\s*(\d{1,6})(?:-(\d{1,6}))?\s*$/.exec(range) ?? []
    if (first === undefined)
      throw new EspalierError("invalid_request", `Expected layers such as 0-3,5 but found ${JSON.stringify(text)}`, {
        param: "stack",
      })
    const [from, to] = [Number(first), Number(last)]
    const step = to < from ? -1 : 1
    return Array.from({ length: Math.abs(to - from) + 1 }, (_, i) => from + i * step)
  })
}

/** What all parts of a stack must have in common: what one layer hands to the next. */
const SHARED = [
  "modelType",
  "hiddenSize",
  "heads",
  "kvHeads",
  "headDim",
  "intermediateSize",
  "normEpsilon",
  "attentionScale",
  "attentionCap",
  "logitCap",
  "normOffset",
  "tokenScale",
] as const satisfies readonly (keyof ModelConfig)[]

/**
 * The layers of a stack, from the first on.
 * @throws {EspalierError} `invalid_request` for a layer that a base lacks, `adapter_mismatch` with everything that differs
 */
export function stackLayers(parts: readonly StackPart[]): StackedLayer[] {
  const [first] = parts
  if (!first) throw new EspalierError("invalid_request", "There is nothing to stack")
  for (const { name, config, layers } of parts) {
    const missing = layers.find((layer) => layer >= config.layers)
    if (missing !== undefined)
      throw new EspalierError(
        "invalid_request",
        `Base "${name}" has layers 0 to ${config.layers - 1}, but layer ${missing} is asked for`,
        { param: "stack" },
      )
    const lines = SHARED.filter((field) => JSON.stringify(config[field]) !== JSON.stringify(first.config[field])).map(
      (field) => `${field}: ${JSON.stringify(first.config[field])} and ${JSON.stringify(config[field])}`,
    )
    if (lines.length > 0)
      throw new EspalierError(
        "adapter_mismatch",
        `Layers of "${first.name}" and "${name}" don't fit together:\n  ${lines.join("\n  ")}`,
      )
  }
  return parts.flatMap(({ layers }, part) => layers.map((layer) => ({ part, layer })))
}

/** A weight's place in its layer, such as layer 3 of `model.layers.3.mlp.up_proj.weight`; null for one of no layer. */
export function layerOfWeight(name: string): { readonly layer: number; at(layer: number): string } | null {
  const match = /^(.*\.(?:layers|h)\.)(\d+)(\..*)$/.exec(name)
  return match && { layer: Number(match[2]), at: (layer) => `${match[1]}${layer}${match[3]}` }
}

/** Where each weight of the stack comes from, by its new name. @param names every weight of the first part's base */
export function stackedWeights(
  layers: readonly StackedLayer[],
  names: Iterable<string>,
): Map<string, { readonly part: number; readonly name: string }> {
  const places = new Map<string, { part: number; name: string }>()
  for (const name of names) {
    const found = layerOfWeight(name)
    if (!found) places.set(name, { part: 0, name })
    // Every layer has the same weights: the first one's stand for all.
    else if (found.layer === 0)
      for (const [i, { part, layer }] of layers.entries()) places.set(found.at(i), { part, name: found.at(layer) })
  }
  return places
}

/**
 * Refuses a stack whose config.json would have a layer attend in another way than it was trained to.
 * @param stacked the configuration of the stack
 * @throws {EspalierError} `unsupported`
 */
export function checkAttention(
  stacked: ModelConfig,
  layers: readonly StackedLayer[],
  parts: readonly Pick<StackPart, "name" | "config">[],
): void {
  for (const [i, { part, layer }] of layers.entries()) {
    const [was, is] = [parts[part]!.config.attention[layer], stacked.attention[i]].map((each) => JSON.stringify(each))
    if (was !== is)
      throw new EspalierError(
        "unsupported",
        `Layer ${layer} of "${parts[part]!.name}" attends by ${was}; as layer ${i} of the stack it would by ${is}`,
        { param: "stack" },
      )
  }
}

/** Fields of config.json that another number of layers changes. @param jsons each part's config.json */
export function stackedSettings(
  layers: readonly StackedLayer[],
  jsons: readonly Readonly<Record<string, unknown>>[],
): Record<string, unknown> {
  const settings: Record<string, unknown> = {}
  for (const field of ["num_hidden_layers", "n_layer"]) if (field in jsons[0]!) settings[field] = layers.length
  const kinds = jsons.map((json) => json["layer_types"])
  if (kinds.every(Array.isArray))
    settings["layer_types"] = layers.map(({ part, layer }) => (kinds[part] as unknown[])[layer])
  const rotates = jsons.map((json) => json["no_rope_layers"])
  if (rotates.every(Array.isArray))
    settings["no_rope_layers"] = layers.map(({ part, layer }) => (rotates[part] as unknown[])[layer])
  return settings
}
