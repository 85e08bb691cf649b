/**
 * @module What a merge leaves behind: an adapter folder in PEFT's layout that says what went into it and how near it came.
 */
import type { Form } from "../forms/form.ts"
import { peftFiles } from "../merge/peft-files.ts"
import type { Recipe } from "../merge/recipe.ts"
import type { MergeReport } from "../merge/report.ts"
import type { Base } from "../models/base.ts"
import { writeAdapterFolder } from "../store/adapter-folder.ts"
import { peftConfig } from "./peft-config.ts"

/** An adapter that went into a merge. */
export interface MergedSource {
  readonly name: string
  /** Its content hash, as espalier inspect says it. */
  readonly hash: string
  /** Its method, for people. */
  readonly method: string
  readonly weight: number
}

/** A merge with what it was made from. */
export interface MergeResult {
  readonly base: Base
  readonly forms: readonly Form[]
  readonly sources: readonly MergedSource[]
  readonly recipe: Recipe
  readonly report: MergeReport | null
  /** How it scored beside its sources, as plain JSON. */
  readonly scores?: unknown
}

/** espalier.json of a merge, without what the store adds. */
export function mergeFacts({ base, sources, recipe, report, scores }: MergeResult): Record<string, unknown> {
  return {
    base: { name: base.name, hash: base.hash },
    method: "merge",
    merge: {
      ...recipe,
      sources,
      // Layer by layer they are printed; here they would be longer than the rest.
      relative_error: report?.error ?? null,
      cut: report?.cut ?? null,
      ...(scores !== undefined && { scores }),
      distances: report && Object.fromEntries(report.sources.map(({ name, distance }) => [name, distance])),
    },
  }
}

/**
 * Writes a merged adapter, whole or not at all.
 * @throws {EspalierError} `unsupported` for forms that no one PEFT folder holds
 */
export async function saveMerged(path: string, result: MergeResult): Promise<void> {
  const { base, forms, sources } = result
  const files = peftFiles(forms, { config: base.config, sites: base.architecture.sites(base.config) })
  const config = peftConfig(base, files.config)
  const names = sources.map(({ name, weight }) => `${name} * ${weight}`).join(" + ")
  const readme = `An adapter for ${base.name}, merged by espalier (${result.recipe.method}) from ${names}, in PEFT's layout.\n`
  await writeAdapterFolder(path, { config, tensors: files.tensors, facts: mergeFacts(result) }, readme)
}
