/**
 * @module What a merge has kept of each adapter's skill: greedy answers to each one's held-out questions, right to the
 * letter, of the merge beside its sources and the base. And a search for the weights that keep most.
 */
import { EspalierError } from "../core/errors.ts"
import { type Question, questionOf } from "../data/question.ts"
import { readRows } from "../data/read.ts"
import { parseRows } from "../data/rows.ts"
import type { Form, LoadedAdapter } from "../forms/form.ts"
import { type Answerer, answerAll, scoreOf } from "./answers.ts"

/** A held-out file. */
export interface HeldOut {
  /** Whose skill it is about. */
  readonly name: string
  readonly questions: readonly Question[]
}

/** Parts of a model's answers that are right, from 0 to 1, in the order of the files. */
export interface Scores {
  readonly parts: readonly number[]
  readonly mean: number
}

/**
 * The questions of a data file.
 * @param limit the first so many
 * @throws {EspalierError} `invalid_file` if there are none
 */
export function readQuestions(name: string, bytes: Uint8Array, limit = Number.POSITIVE_INFINITY): Question[] {
  const { rows } = parseRows(readRows(name, bytes).rows)
  const questions = rows.flatMap((row) => questionOf(row) ?? []).slice(0, limit)
  if (questions.length === 0)
    throw new EspalierError("invalid_file", `${name} holds no question with an answer`, { param: "data" })
  return questions
}

/** Scores an adapter, or the base where it is null, on every file. */
export async function scoreOn(
  files: readonly HeldOut[],
  adapter: LoadedAdapter | null,
  answerer: Omit<Answerer, "adapter">,
): Promise<Scores> {
  const bound = adapter && (await answerer.decoder.bind(adapter))
  try {
    const parts: number[] = []
    for (const { questions } of files) parts.push(scoreOf(await answerAll(questions, { ...answerer, adapter: bound })))
    return { parts, mean: parts.reduce((sum, part) => sum + part, 0) / parts.length }
  } finally {
    await bound?.dispose()
  }
}

/** Merged forms as an adapter that a decoder can bind; nobody else sees it. */
export const passingAdapter = (forms: readonly Form[]): LoadedAdapter => ({
  hash: "merged",
  method: "merge",
  forms,
  sizeBytes: 0,
})

/** Weights of one source that are tried, by how many sources there are. */
const TRIED: Readonly<Record<number, readonly number[]>> = {
  1: [0.25, 0.5, 0.75, 1, 1.25],
  2: [0.25, 0.5, 0.75, 1],
  3: [0.3, 0.6, 1],
  4: [0.5, 1],
}

/** All combinations of weights that are tried. @throws {EspalierError} `invalid_request` for more than four sources */
export function weightGrid(sources: number): number[][] {
  const tried = TRIED[sources]
  if (!tried)
    throw new EspalierError(
      "invalid_request",
      `Weights are searched for up to four adapters, but there are ${sources}`,
      {
        hint: "Merge some of them first, or give --weights",
        param: "search",
      },
    )
  let grid: number[][] = [[]]
  for (let i = 0; i < sources; i++) grid = grid.flatMap((weights) => tried.map((weight) => [...weights, weight]))
  return grid
}

/** Weights with their scores. */
export interface Trial {
  readonly weights: readonly number[]
  readonly scores: Scores
}

/** Tries weights and gives the trial of the best mean, the first among equals, and all of them. */
export async function searchWeights(
  grid: readonly (readonly number[])[],
  score: (weights: readonly number[]) => Promise<Scores>,
): Promise<{ readonly best: Trial; readonly trials: readonly Trial[] }> {
  const trials: Trial[] = []
  for (const weights of grid) trials.push({ weights, scores: await score(weights) })
  const best = trials.reduce((first, trial) => (trial.scores.mean > first.scores.mean ? trial : first))
  return { best, trials }
}
