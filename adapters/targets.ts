/**
 * @module Which linear layers a method means, by PEFT's rules: a list of names matches the end of a module's path, a text
 * is a regular expression for the whole path, and `all-linear` is every linear layer but the output layer.
 * Source: peft `tuners_utils.py`, `check_target_module_exists`.
 */
import * as v from "valibot"
import { EspalierError } from "../src/core/errors.ts"
import type { LinearSite, Site } from "../src/models/site.ts"

/** Target modules as a setting. */
export const targetsSchema = v.union([
  v.pipe(v.array(v.pipe(v.string(), v.minLength(1))), v.minLength(1)),
  v.pipe(v.string(), v.minLength(1)),
])

/** Targets as they are set: names, a regular expression, or `all-linear`. */
export type Targets = v.InferOutput<typeof targetsSchema>

/** A regular expression for whole paths. @throws {EspalierError} `unsupported` for what JavaScript can't read */
function wholePath(source: string): RegExp {
  try {
    return new RegExp(`^(?:${source})$`)
  } catch (cause) {
    throw new EspalierError(
      "unsupported",
      `Regular expression ${JSON.stringify(source)}: ${(cause as Error).message}`,
      {
        cause,
      },
    )
  }
}

/** Whether a path is meant. */
export function matchesTargets(path: string, targets: Targets): boolean {
  if (targets === "all-linear" || targets === "all") return path !== "lm_head"
  if (typeof targets === "string") return wholePath(targets).test(path)
  return targets.some((name) => path === name || path.endsWith(`.${name}`))
}

/** Which layers are meant. */
export interface Meant {
  readonly targets: Targets
  /** Only these layers of the stack; all where null. A module that `targets` name by its whole path is meant in any. */
  readonly layers: readonly number[] | null
  /** None of these, whatever `targets` says. @default none */
  readonly exclude?: Targets | null
}

/** Whether targets name a module by its whole path. */
const isSpelledOut = (path: string, targets: Targets): boolean => Array.isArray(targets) && targets.includes(path)

/**
 * Whether a module is meant.
 * @param layer which of the stack it is in; null for what is in none
 */
export const isMeant = (path: string, layer: number | null, { targets, layers, exclude = null }: Meant): boolean =>
  matchesTargets(path, targets) &&
  (!layers || (layer !== null && layers.includes(layer)) || isSpelledOut(path, targets)) &&
  (exclude === null || !matchesTargets(path, exclude))

/** Whether a site is a linear layer that is meant. */
export const isTarget = (site: Site, meant: Meant): site is LinearSite =>
  site.kind === "linear" && isMeant(site.path, site.layer, meant)

/** The value that a pattern table gives a path, or the fallback; keys match a path's end or are regular expressions. */
export function fromPattern(patterns: Readonly<Record<string, number>>, path: string, fallback: number): number {
  for (const [key, value] of Object.entries(patterns)) {
    if (wholePath(`(?:.*\\.)?(?:${key})`).test(path)) return value
  }
  return fallback
}

/** Names for `target_modules`, sorted: the last parts of the paths that are meant, or the regular expression itself. */
export function targetModules(sites: readonly Site[], targets: Targets): string | string[] {
  if (typeof targets !== "string") return [...targets].sort()
  if (targets !== "all-linear" && targets !== "all") return targets
  const names = sites
    .filter((site) => site.kind === "linear" && matchesTargets(site.path, targets))
    .map((site) => site.path.split(".").at(-1)!)
  return [...new Set(names)].sort()
}

/**
 * Ends of paths that mean exactly these layers, sorted: each the shortest that no other layer's path has.
 * @param all every site of the base
 */
export function endsOf(meant: readonly { readonly path: string }[], all: readonly Site[]): string[] {
  const paths = new Set(meant.map(({ path }) => path))
  const others = all.flatMap((site) =>
    site.kind !== "prompt" && site.kind !== "prefix" && !paths.has(site.path) ? [site.path] : [],
  )
  const ends = meant.map(({ path }) => {
    const parts = path.split(".")
    for (let length = 1; length < parts.length; length++) {
      const end = parts.slice(-length).join(".")
      if (!others.some((other) => other === end || other.endsWith(`.${end}`))) return end
    }
    return path
  })
  return [...new Set(ends)].sort()
}
