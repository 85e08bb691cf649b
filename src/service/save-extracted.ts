/**
 * @module What an extraction leaves behind: an adapter folder in PEFT's layout, bound to the base it was taken from.
 */
import type { Extraction } from "../merge/extract.ts"
import { peftFiles } from "../merge/peft-files.ts"
import type { Base } from "../models/base.ts"
import { writeAdapterFolder } from "../store/adapter-folder.ts"
import { peftConfig } from "./peft-config.ts"

/** espalier.json of an extraction, without what the store adds. */
export const extractionFacts = (base: Base, tuned: Base, { error, lost }: Extraction): Record<string, unknown> => ({
  base: { name: base.name, hash: base.hash },
  method: "extract",
  extracted: { from: { name: tuned.name, hash: tuned.hash }, relative_error: error, lost },
})

/** Writes it, whole or not at all. */
export async function saveExtracted(path: string, base: Base, tuned: Base, extraction: Extraction): Promise<void> {
  const files = peftFiles(extraction.forms, { config: base.config, sites: base.architecture.sites(base.config) })
  const config = peftConfig(base, files.config)
  const readme = `What ${tuned.name} changed of ${base.name}, as low-rank updates, extracted by espalier, in PEFT's layout.\n`
  const facts = extractionFacts(base, tuned, extraction)
  await writeAdapterFolder(path, { config, tensors: files.tensors, facts }, readme)
}
