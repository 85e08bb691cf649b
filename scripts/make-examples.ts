/**
 * @module Writes the bundled data sets to examples/data, byte for byte the same ones each time:
 * `bun run scripts/make-examples.ts`.
 */
import { mkdir, writeFile } from "node:fs/promises"
import { rng } from "../src/core/rng.ts"
import type { Split } from "./corpus/document.ts"
import { answerCard } from "./examples/answer-card.ts"
import type { ExampleRow, ExampleSet } from "./examples/example-set.ts"
import { jsonReport } from "./examples/json-report.ts"
import { labelsDesk } from "./examples/labels-desk.ts"
import { stylePirate } from "./examples/style-pirate.ts"
import { turnsOrder } from "./examples/turns-order.ts"

const SEED = 1

/** Every bundled data set. */
export const exampleSets: readonly ExampleSet[] = [answerCard, jsonReport, stylePirate, labelsDesk, turnsOrder]

/** The rows of one split, none twice. */
export function exampleRows(set: ExampleSet, split: Split): ExampleRow[] {
  const draw = { random: rng(SEED, `example:${set.name}:${split}`), split }
  const rows = new Map<string, ExampleRow>()
  const wanted = split === "train" ? set.trainRows : set.heldoutRows
  while (rows.size < wanted) {
    const row = set.row(draw)
    rows.set(JSON.stringify(row), row)
  }
  return [...rows.values()]
}

/** The rows as the text of a data file. */
export const exampleFile = (set: ExampleSet, split: Split): string =>
  exampleRows(set, split)
    .map((row) => `${JSON.stringify(row)}\n`)
    .join("")

if (import.meta.main) {
  const folder = new URL("../examples/data/", import.meta.url)
  await mkdir(folder, { recursive: true })
  for (const set of exampleSets) {
    for (const split of ["train", "heldout"] as const) {
      const name = `${set.name}.${split}.jsonl`
      await writeFile(new URL(name, folder), exampleFile(set, split))
      console.log(`Wrote examples/data/${name}`)
    }
  }
}
