/**
 * @module Merging adapters into one: the way from several adapters' forms to the merged ones, whatever they are made of.
 */
import { mergeBottlenecks } from "./merge-bottlenecks.ts"
import { type Merged, mergeLinear } from "./merge-linear.ts"
import { mergeVectors } from "./merge-vectors.ts"
import { mergePrefixes, mergePrompts } from "./merge-virtual.ts"
import { checkRecipe, type Recipe } from "./recipe.ts"
import { checkMethod, kindOf, type MergeBase, type MergeSource } from "./source.ts"

/**
 * Merges adapters of one base.
 * @throws {EspalierError} `unsupported` for kinds or methods that don't go together, `invalid_request` for a wrong setting,
 *   `adapter_mismatch` for adapters that don't fit the base
 */
export async function mergeAdapters(sources: readonly MergeSource[], recipe: Recipe, base: MergeBase): Promise<Merged> {
  checkRecipe(recipe)
  const kind = kindOf(sources)
  checkMethod(kind, recipe.method, sources)
  switch (kind) {
    case "lowrank":
    case "dense":
      return mergeLinear(sources, recipe, base)
    case "scale":
    case "bias":
    case "norm":
      return mergeVectors(sources, recipe, base)
    case "prompt":
      return mergePrompts(sources, recipe)
    case "prefix":
      return mergePrefixes(sources, recipe)
    case "bottleneck":
      return mergeBottlenecks(sources)
    default:
      return kind satisfies never
  }
}
