/**
 * @module A memory plan as text.
 */
import type { MemoryPart } from "../plan/parts.ts"
import type { TrainingPlan } from "../plan/training.ts"
import { formatBytes, formatCount } from "../train/progress.ts"

/** What each part is. */
const meanings: Readonly<Record<MemoryPart["name"], string>> = {
  weights: "frozen, for each session that reads them",
  adapters: "in the form that is fed, and as keys and values of virtual tokens",
  trainables: "what is trained, and the best values so far",
  gradients: "of the batch, of a piece of it, and the engine's copy",
  optimizer: "AdamW's two moments",
  activations: "the most that a run of the graph holds at once",
  evaluation: "the same of the graph that evaluates",
  scoring: "a decoder that is asked while the run is open",
  "kv-cache": "keys and values of each sequence, and the engine's copy",
  inputs: "tokens, labels, masks of dropout",
  checkpoint: "while one is written",
  engine: "the process, the engine, its records of each node",
}

/** Columns side by side, the first flush left and the others flush right unless said otherwise. */
function columns(rows: readonly (readonly string[])[], left: readonly number[]): string {
  const widths = rows[0]!.map((_, i) => Math.max(...rows.map((row) => row[i]!.length)))
  return rows
    .map((row) =>
      row
        .map((cell, i) => (left.includes(i) ? cell.padEnd(widths[i]!) : cell.padStart(widths[i]!)))
        .join("  ")
        .trimEnd(),
    )
    .map((line) => `  ${line}`)
    .join("\n")
}

/** A plan's parts that take anything, one a line, and their sum. */
export function partTable({ parts, total }: { readonly parts: readonly MemoryPart[]; readonly total: number }): string {
  const rows = parts
    .filter(({ bytes }) => bytes >= 5e5)
    .map(({ name, bytes }) => [name, formatBytes(bytes), meanings[name]])
  return columns([...rows, ["total", formatBytes(total), ""]], [0, 2])
}

/** Plans of several methods, a line each. */
export function methodTable(plans: readonly TrainingPlan[]): string {
  const sum = ({ parts }: TrainingPlan, names: readonly MemoryPart["name"][]): string =>
    formatBytes(parts.reduce((total, { name, bytes }) => total + (names.includes(name) ? bytes : 0), 0))
  const full = plans.find(({ method }) => method === "full")
  const head = ["method", "trained", "weights", "trained state", "activations", "rest", "total", full ? "of full" : ""]
  const rows = plans.map((plan) => [
    plan.method,
    formatCount(plan.trainable),
    sum(plan, ["weights"]),
    sum(plan, ["trainables", "gradients", "optimizer", "checkpoint"]),
    sum(plan, ["activations", "evaluation"]),
    sum(plan, ["inputs", "engine"]),
    formatBytes(plan.total),
    full ? `${Math.round((100 * plan.total) / full.total)} %` : "",
  ])
  return columns([head, ...rows], [0])
}
