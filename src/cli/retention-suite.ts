/**
 * @module `--retention suite|off|<file>`: the items that a training run is judged by for what it has forgotten.
 */
import { existsSync } from "node:fs"
import { readFile } from "node:fs/promises"
import { join, resolve } from "node:path"
import { EspalierError } from "../core/errors.ts"
import { type RetentionSet, retentionSet } from "../eval/retention.ts"
import { readSuite, type Suite } from "../eval/suite.ts"
import { packageFolder } from "./shared-options.ts"

/** Items that are scored unless something else is asked for: so few that a run stays short. */
const ITEMS = 96

/** Items to score, and the suite that they are of. */
export interface OpenRetention {
  readonly set: RetentionSet
  readonly suite: Suite
  /** Whether the suite is another base's, so that it does not say what this one was taught. */
  readonly isForeign: boolean
}

/**
 * The items; null for `off`.
 *
 * `suite` is the base's own suite.jsonl where its folder has one. Another base was never taught what the bundled suite
 * asks for, so of that only the texts are taken.
 * @param folder the base's
 * @throws {EspalierError} `not_found` for a file that isn't there, `invalid_file` for one that is no suite.
 */
export async function openRetention(
  given: string | undefined,
  items: number | undefined,
  folder: string,
): Promise<OpenRetention | null> {
  if (given === "off") return null
  const bundled = join(packageFolder(), "models", "sprig", "suite.jsonl")
  const own = join(folder, "suite.jsonl")
  const isFile = given !== undefined && given !== "suite"
  const path = isFile ? given : existsSync(own) ? own : bundled
  if (!existsSync(path)) {
    if (!isFile) return null
    throw new EspalierError("not_found", `There is no suite ${given}`, {
      param: "retention",
      hint: "Give a JSONL file of items (docs/formats.md), suite for the base's own, or off",
    })
  }
  const isForeign =
    !isFile && resolve(path) === resolve(bundled) && resolve(folder) !== resolve(packageFolder(), "models", "sprig")
  const name = isFile ? given : isForeign ? "sprig's suite" : "the base's suite"
  const suite = await readSuite(name, new Uint8Array(await readFile(path)))
  return { suite, isForeign, set: retentionSet(suite, { items: items ?? ITEMS, textsOnly: isForeign }) }
}
