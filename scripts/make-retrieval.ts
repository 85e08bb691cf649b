/**
 * @module Writes what retrieval over the embedded base is calibrated and measured by, models/sprig/retrieval/: notes and
 * questions of two splits that share no name and no wording, in the base's own words and in everyday ones, and rows that teach
 * an adapter to answer in JSON. The same options give the same files.
 *
 * Usage: bun run scripts/make-retrieval.ts [--out models/sprig/retrieval]
 */
import { mkdir, writeFile } from "node:fs/promises"
import { join } from "node:path"
import { parseArgs } from "node:util"
import { everydaySet } from "./corpus/everyday.ts"
import { jsonRows, type RetrievalSizes, retrievalSet } from "./corpus/retrieval.ts"

/** What comes with the base: to calibrate by, and to measure by. */
export const bundledRetrieval: Readonly<Record<"train" | "heldout", RetrievalSizes>> = {
  train: { documents: 120, open: 60, forms: 300 },
  heldout: { documents: 240, open: 120, forms: 300 },
}
/** The same in ordinary English: a router that was fitted to the base's small world alone would know no other. */
export const bundledEveryday: Readonly<Record<"train" | "heldout", RetrievalSizes>> = {
  train: { documents: 60, open: 40, forms: 192 },
  heldout: { documents: 80, open: 60, forms: 240 },
}
/** Rows that teach to answer in JSON. */
const JSON_ROWS = { train: 1500, heldout: 60 } as const
const SEED = 1

/** The files by name. */
export function retrievalFiles(): Map<string, string> {
  const lines = (rows: readonly unknown[]): string => rows.map((row) => `${JSON.stringify(row)}\n`).join("")
  return new Map(
    (["train", "heldout"] as const).flatMap((split) => {
      const { documents, items } = retrievalSet(SEED, split, bundledRetrieval[split])
      const everyday = everydaySet(SEED, split, bundledEveryday[split])
      return [
        [`${split}.documents.jsonl`, lines(documents)],
        [`${split}.questions.jsonl`, lines(items)],
        [`${split}.json.jsonl`, lines(jsonRows(SEED, split, JSON_ROWS[split]))],
        [`everyday/${split}.documents.jsonl`, lines(everyday.documents)],
        [`everyday/${split}.questions.jsonl`, lines(everyday.items)],
      ] as const
    }),
  )
}

if (import.meta.main) {
  const { values } = parseArgs({ options: { out: { type: "string", default: "models/sprig/retrieval" } } })
  await mkdir(join(values.out, "everyday"), { recursive: true })
  for (const [name, text] of retrievalFiles()) {
    await writeFile(join(values.out, name), text)
    console.log(`${join(values.out, name)}: ${text.trim().split("\n").length} lines`)
  }
}
