/**
 * @module `espalier merge --score` and `--search`: the merge, its sources and the base on held-out questions.
 */
import { readFile } from "node:fs/promises"
import { basename } from "node:path"
import { EspalierError } from "../core/errors.ts"
import {
  type HeldOut,
  passingAdapter,
  readQuestions,
  type Scores,
  scoreOn,
  searchWeights,
  type Trial,
  weightGrid,
} from "../eval/merge-score.ts"
import type { Form, LoadedAdapter } from "../forms/form.ts"
import type { OpenBase } from "../presets/open-base.ts"
import { openRuntime } from "../presets/open-runtime.ts"
import type { BackendName } from "../runtime/runtime.ts"
import { graphDecoder } from "../serve/graph-decoder.ts"
import { printable } from "./io.ts"
import { namedAdapter } from "./shared-options.ts"

/** Options of scoring. */
export interface ScoreValues {
  readonly data?: readonly string[]
  readonly limit?: number
  readonly search?: boolean
  readonly backend?: string
  readonly threads?: number
}

/** What was scored, in the order of the table: the base, the sources, the merge. */
export interface ScoreTable {
  readonly files: readonly string[]
  readonly models: readonly { readonly name: string; readonly scores: Scores }[]
  /** All weights that were tried; null where none were. */
  readonly trials: readonly Trial[] | null
  /** Weights of the merge that is kept. */
  readonly weights: readonly number[]
}

/** Held-out files as `name=file`. @throws {EspalierError} `invalid_request`, `not_found` or `invalid_file` naming the file */
export async function readHeldOut({ data = [], limit }: ScoreValues): Promise<HeldOut[]> {
  if (data.length === 0)
    throw new EspalierError("invalid_request", "Scoring wants held-out questions", {
      hint: "Such as: --data card=examples/data/answer-card.heldout.jsonl --data json=examples/data/json-report.heldout.jsonl",
      param: "data",
    })
  const files: HeldOut[] = []
  for (const text of data) {
    const { name, path } = namedAdapter(text)
    const bytes = await readFile(path).catch((cause: unknown) => {
      throw new EspalierError("not_found", `There is no readable file ${path}`, { param: "data", cause })
    })
    files.push({ name, questions: readQuestions(basename(path), new Uint8Array(bytes), limit) })
  }
  return files
}

/**
 * Scores the base, the adapters and their merge, with other weights too where they are to be searched.
 * @param merge forms of a merge by these weights
 */
export async function scoreMerge(
  values: ScoreValues,
  open: OpenBase,
  files: readonly HeldOut[],
  adapters: readonly { readonly name: string; readonly adapter: LoadedAdapter }[],
  given: readonly number[],
  merge: (weights: readonly number[]) => Promise<readonly Form[]>,
): Promise<ScoreTable> {
  const { base, tokenizer, eosIds } = open
  if (!tokenizer)
    throw new EspalierError("unsupported", `Base "${base.name}" has no tokenizer.json, so it can't be scored`)
  const { threads } = values
  const backend = (values.backend ?? "auto") as BackendName | "auto"
  const { runtime } = await openRuntime(backend, threads === undefined ? {} : { threads })
  const decoder = await graphDecoder({ runtime, base })
  const score = (adapter: LoadedAdapter | null): Promise<Scores> =>
    scoreOn(files, adapter, { decoder, tokenizer, eosIds })
  try {
    const models = [{ name: base.name, scores: await score(null) }]
    for (const { name, adapter } of adapters) models.push({ name, scores: await score(adapter) })
    const tried = async (weights: readonly number[]): Promise<Scores> => score(passingAdapter(await merge(weights)))
    const { best, trials } = await searchWeights(
      values.search ? [given, ...weightGrid(adapters.length)] : [given],
      tried,
    )
    models.push({ name: "merged", scores: best.scores })
    return {
      files: files.map(({ name }) => name),
      models,
      trials: values.search ? trials : null,
      weights: best.weights,
    }
  } finally {
    await decoder.dispose()
    await runtime.dispose()
  }
}

const percent = (part: number): string => `${(part * 100).toFixed(0)} %`

/** The scores as a table for people. */
export function scoreText({ files, models, trials }: ScoreTable): string {
  const rows = [
    ["answers exactly right", ...files.map(printable), "mean"],
    ...models.map(({ name, scores }) => [printable(name), ...scores.parts.map(percent), percent(scores.mean)]),
  ]
  const lines = columns(rows)
  if (trials) {
    const best = [...trials].sort((a, b) => b.scores.mean - a.scores.mean).slice(0, 5)
    lines.push(
      "",
      `Weights tried: ${trials.length}, the best of them`,
      ...columns(
        best.map(({ weights, scores }) => [
          weights.map((weight) => Number(weight.toPrecision(3))).join(","),
          ...scores.parts.map(percent),
          percent(scores.mean),
        ]),
      ),
    )
  }
  return `${lines.join("\n")}\n`
}

function columns(rows: readonly (readonly string[])[]): string[] {
  const widths = rows[0]!.map((_, i) => Math.max(...rows.map((row) => row[i]!.length)))
  return rows.map((row) =>
    row.map((cell, i) => (i === 0 ? cell.padEnd(widths[i]!) : cell.padStart(widths[i]! + 2))).join(""),
  )
}
