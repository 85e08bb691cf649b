/**
 * @module Writes the suite of the embedded base, models/sprig/suite.jsonl: held-out questions of every family of the
 * corpus that can be scored, and held-out texts. The same options give the same file.
 *
 * Usage: bun run scripts/make-suite.ts [--items 50] [--texts 100] [--seed 1] [--out models/sprig/suite.jsonl]
 */
import { writeFile } from "node:fs/promises"
import { parseArgs } from "node:util"
import { readSuite } from "../src/eval/suite.ts"
import { corpusStream, type SuiteItem, suiteItems } from "./corpus/corpus.ts"

/** What a suite is made of. */
export interface SuiteOptions {
  readonly seed: number
  /** Questions of a family. */
  readonly items: number
  readonly texts: number
}

/** The suite that comes with the base. */
export const bundledSuite: SuiteOptions = { seed: 1, items: 50, texts: 100 }

/** Items drawn for one that is kept: small worlds repeat themselves. */
const DRAWN = 4

/** The first different questions of each family: one that came twice would count twice. */
function distinctQuestions({ seed, items }: SuiteOptions): SuiteItem[] {
  const seen = new Set<string>()
  const counts = new Map<string, number>()
  return suiteItems(seed, items * DRAWN).filter(({ family, messages }) => {
    const key = JSON.stringify([family, messages])
    const kept = counts.get(family) ?? 0
    if (kept >= items || seen.has(key)) return false
    seen.add(key)
    counts.set(family, kept + 1)
    return true
  })
}

/** The first different texts of the held-out stream, as the base reads them: after a space. */
function distinctTexts({ seed, texts }: SuiteOptions): { family: string; text: string }[] {
  const found = new Set<string>()
  for (const document of corpusStream(seed, "heldout")) {
    if (found.size >= texts) break
    if ("text" in document) found.add(document.text)
  }
  return [...found].map((text) => ({ family: "text", text: ` ${text}` }))
}

/** A suite as the text of its file. */
export const suiteFile = (options: SuiteOptions): string =>
  [...distinctQuestions(options), ...distinctTexts(options)].map((line) => `${JSON.stringify(line)}\n`).join("")

if (import.meta.main) {
  const { values } = parseArgs({
    options: {
      items: { type: "string", default: String(bundledSuite.items) },
      texts: { type: "string", default: String(bundledSuite.texts) },
      seed: { type: "string", default: String(bundledSuite.seed) },
      out: { type: "string", default: "models/sprig/suite.jsonl" },
    },
  })
  const [items, texts, seed] = (["items", "texts", "seed"] as const).map((name) => {
    const found = Number(values[name])
    if (!Number.isSafeInteger(found) || found < 0) throw new RangeError(`Expected --${name} to be a whole number`)
    return found
  }) as [number, number, number]
  const bytes = new TextEncoder().encode(suiteFile({ items, texts, seed }))
  const suite = await readSuite(values.out, bytes)
  await writeFile(values.out, bytes)
  const families = new Set(suite.items.map(({ family }) => family))
  console.log(`${values.out}: ${suite.items.length} items, ${families.size} families, ${suite.hash.slice(0, 12)}`)
}
