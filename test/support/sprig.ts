/**
 * @module The embedded base in tests.
 */
import { join } from "node:path"
import { type OpenBase, openBase } from "../../src/presets/open-base.ts"

/** Folder of the embedded base. */
export const sprigFolder = join(import.meta.dir, "..", "..", "models", "sprig")

let opened: Promise<OpenBase> | null = null
/** The embedded base, opened once. */
export const openSprig = (): Promise<OpenBase> => {
  opened ??= openBase(sprigFolder)
  return opened
}
