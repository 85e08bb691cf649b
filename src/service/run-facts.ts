/**
 * @module espalier.json: what an adapter was made of, without anything that differs between two equal runs.
 */
import type { Runtime } from "../runtime/runtime.ts"
import type { Trained } from "./save-adapter.ts"
import type { TrainingRun } from "./training-run.ts"

/** A task's figures, as far as they are remembered with the adapter. */
export interface FiguresOfTask {
  readonly name: string
  readonly share: number | null
  readonly loss: unknown
  readonly score: unknown
}

/** The facts of a run. */
export function runFacts(
  { tasks, settings, replay }: TrainingRun,
  { base, method }: Pick<Trained, "base" | "method">,
  runtime: Runtime,
  figures: readonly FiguresOfTask[],
): Record<string, unknown> {
  const [only] = figures
  const files = tasks.map(({ dataset, apart }) => ({
    name: dataset.name,
    sha256: dataset.sha256,
    rows: dataset.report.used,
    heldout: apart?.name ?? null,
  }))
  return {
    format: 1,
    method: { name: method.name, settings: method.config },
    base: { name: base.name, hash: base.hash, ...(base.quantization && { quantization: base.quantization }) },
    ...(tasks.length === 1
      ? { data: files[0] }
      : { tasks: figures.map(({ name, share, loss, score }, i) => ({ name, data: files[i], share, loss, score })) }),
    ...(replay && { replay: { name: replay.name, sha256: replay.sha256, rows: replay.report.used } }),
    settings,
    runtime: { backend: runtime.name, detail: runtime.detail, threads: runtime.threads },
    ...(tasks.length === 1 && only?.score ? { score: only.score } : {}),
  }
}
