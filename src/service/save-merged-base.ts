/**
 * @module Writes bases that merging makes: adapters fused into one, and layers stacked.
 */
import { f32, type Tensor } from "../core/tensor.ts"
import type { Fused } from "../merge/fuse.ts"
import { checkAttention, stackedSettings, stackedWeights, stackLayers } from "../merge/stack.ts"
import type { Base } from "../models/base.ts"
import { wholeBase, writeBaseFolder } from "./base-folder.ts"
import { type MergeResult, mergeFacts } from "./save-merged.ts"

/** A base in its folder. */
export interface BaseInFolder {
  readonly base: Base
  readonly path: string
  /** config.json. */
  readonly configJson: Readonly<Record<string, unknown>>
}

const SERVE = "Serve it with `espalier serve --base <this folder>`.\n"

/** Writes a base with adapters fused in. */
export async function saveFused(
  path: string,
  fused: Fused,
  result: Omit<MergeResult, "forms" | "report">,
  from: string,
): Promise<void> {
  const { base, sources, recipe } = result
  const names = sources.map(({ name, weight }) => `${name} * ${weight}`).join(" + ")
  const weights = await wholeBase(base, fused.weights)
  await writeBaseFolder(path, {
    weights,
    // Whatever the base's own file says: an output layer that is there counts.
    ...(weights.has("lm_head.weight") && { settings: { tie_word_embeddings: false } }),
    facts: { ...mergeFacts({ ...result, forms: [], report: fused.report }), method: "fuse" },
    readme: `${base.name} with ${names} fused in by espalier (${recipe.method}). ${SERVE}`,
    from,
  })
}

/**
 * Writes a base made of layers of others.
 * @param parts bases with the layers that are taken; what stands before and after them is the first one's
 * @returns how many layers it has
 * @throws {EspalierError} If layers are missing or don't fit together
 */
export async function saveStacked(
  path: string,
  parts: readonly (BaseInFolder & { readonly layers: readonly number[] })[],
): Promise<number> {
  const layers = stackLayers(parts.map(({ base, layers }) => ({ name: base.name, config: base.config, layers })))
  const first = parts[0]!
  const settings = stackedSettings(
    layers,
    parts.map(({ configJson }) => configJson),
  )
  checkAttention(
    first.base.architecture.parseConfig({ ...first.configJson, ...settings }),
    layers,
    parts.map(({ base }) => ({ name: base.name, config: base.config })),
  )
  const weights = new Map<string, Tensor<"f32">>()
  for (const [name, place] of stackedWeights(layers, first.base.layout.keys())) {
    const { base } = parts[place.part]!
    weights.set(name, f32(base.layout.get(place.name)!.shape, await base.read(place.name)))
  }
  const stack = parts.map(({ base, layers }) => ({ name: base.name, hash: base.hash, layers }))
  await writeBaseFolder(path, {
    weights,
    facts: { base: { name: first.base.name, hash: first.base.hash }, method: "stack", stack },
    readme: `Layers of ${[...new Set(stack.map(({ name }) => name))].join(" and ")}, stacked by espalier. ${SERVE}`,
    from: first.path,
    settings,
  })
  return layers.length
}
