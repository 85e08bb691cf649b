/**
 * @module What the writers of PEFT's layouts share.
 */
import type { Tensor } from "../core/tensor.ts"
import type { ModelConfig } from "../models/architecture.ts"
import type { LinearSite, Site } from "../models/site.ts"

/** adapter_config.json, without what every adapter has, and the tensors. */
export interface PeftFiles {
  readonly config: Readonly<Record<string, unknown>>
  readonly tensors: ReadonlyMap<string, Tensor<"f32">>
}

/** What of the base decides how an adapter is written. */
export interface PeftBase {
  readonly config: ModelConfig
  readonly sites: readonly Site[]
}

/**
 * Names for `target_modules` that mean exactly these modules: the last parts of their paths, where no other module has
 * them, else whole paths.
 */
export function targetNames(paths: readonly string[], sites: readonly Site[]): string[] {
  const meant = new Set(paths)
  const lastOf = (path: string): string => path.split(".").at(-1)!
  const others = new Set(sites.flatMap(({ path }) => (meant.has(path) ? [] : [lastOf(path)])))
  const names = paths.map((path) => (others.has(lastOf(path)) ? path : lastOf(path)))
  return [...new Set(names)].sort()
}

/** Whether the base's linear layers hold their weights as [in, out]. */
export const isTransposed = (sites: readonly Site[]): boolean =>
  sites.some((site): site is LinearSite => site.kind === "linear" && site.transposed)
