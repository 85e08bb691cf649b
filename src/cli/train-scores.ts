/**
 * @module What a training run is scored by before and after: held-out answers of each task, and retention.
 */
import type { Question } from "../data/question.ts"
import { type Answered, answerAll, scoreOf } from "../eval/answers.ts"
import type { RetentionSet } from "../eval/retention.ts"
import { type SuiteScores, scoreSuite } from "../eval/score-suite.ts"
import { matrixMeasures } from "../eval/task-matrix.ts"
import type { Trained } from "../service/save-adapter.ts"
import type { Task } from "../service/task-data.ts"
import type { TrainingOutcome } from "../service/training-run.ts"
import { type AskedModel, withAnswerer } from "../service/with-answerer.ts"
import type { TaskScore } from "../train/events.ts"
import type { CurriculumFigures, TaskFigures } from "./train-text.ts"

/** Held-out answers that are scored at most, over all tasks: scoring must not outlast training. */
const MOST_SCORED = 60
/** Of each of many tasks so many are scored all the same. */
const LEAST_OF_TASK = 12

/** A task's questions that are asked. */
export interface Asked {
  readonly name: string
  readonly questions: readonly Question[]
}

/** Which held-out questions are asked. */
export const askedOf = (tasks: readonly Task[]): Asked[] =>
  tasks.map(({ name, questions }) => ({
    name,
    questions: questions.slice(0, Math.max(LEAST_OF_TASK, Math.floor(MOST_SCORED / tasks.length))),
  }))

/** What a model answered. */
export interface Scored {
  /** Task by task. */
  readonly answers: readonly (readonly Answered[])[]
  readonly retention: SuiteScores | null
}

/** Scores of the base, or of what was trained over it. */
export async function scored(
  model: AskedModel,
  trained: Trained | null,
  asked: readonly Asked[],
  retention: RetentionSet | null,
): Promise<Scored> {
  if (!retention && asked.every(({ questions }) => questions.length === 0))
    return { answers: asked.map(() => []), retention: null }
  return withAnswerer(model, trained, async (answerer) => {
    const answers: Answered[][] = []
    for (const { questions } of asked) answers.push(await answerAll(questions, answerer))
    return { answers, retention: retention && (await scoreSuite(retention.items, answerer)) }
  })
}

/** Answers as the score of each task. */
export const taskScores = (asked: readonly Asked[], { answers }: Scored): TaskScore[] =>
  asked.map(({ name, questions }, i) => ({
    name,
    questions: questions.length,
    exact: questions.length === 0 ? null : scoreOf(answers[i]!),
  }))

/** Each task's figures before and after. */
export function taskFigures(
  tasks: readonly Task[],
  shares: readonly number[] | null,
  losses: TrainingOutcome["tasks"],
  before: Scored,
  after: Scored,
): TaskFigures[] {
  return tasks.map(({ name, dataset }, i) => {
    const lossOf = (list: readonly { readonly name: string; readonly loss: number }[] | undefined) =>
      list?.find((each) => each.name === name)?.loss
    const [lossBefore, lossAfter] = [lossOf(losses?.before), lossOf(losses?.after)]
    const questions = after.answers[i]!.length
    return {
      name,
      rows: dataset.report.used,
      share: shares?.[i] ?? null,
      loss: lossBefore === undefined || lossAfter === undefined ? null : { before: lossBefore, after: lossAfter },
      score:
        questions === 0 ? null : { questions, before: scoreOf(before.answers[i]!), after: scoreOf(after.answers[i]!) },
    }
  })
}

/**
 * The matrix of a curriculum: exact answers where every task has questions, else the part of held-out tokens that were
 * the likeliest; null where a task has no held-out rows at all.
 */
export function curriculumFigures(
  { rows, tasks }: Pick<TrainingOutcome, "rows" | "tasks">,
  before: readonly TaskScore[],
): CurriculumFigures | null {
  if (rows === null || tasks === null) return null
  const exact = (scores: readonly TaskScore[]): number[] | null =>
    scores.every((score) => score.exact !== null) ? scores.map((score) => score.exact!) : null
  const exactRows = rows.map(({ scores }) => exact(scores))
  const exactBefore = exact(before)
  if (exactBefore && exactRows.every((row) => row !== null)) {
    const matrix = exactRows as number[][]
    return { measure: "exact", before: exactBefore, matrix, ...matrixMeasures(matrix, exactBefore) }
  }
  if (tasks.before.length < before.length) return null
  const matrix = rows.map(({ losses }) => losses.map(({ tokenAccuracy }) => tokenAccuracy))
  const first = tasks.before.map(({ tokenAccuracy }) => tokenAccuracy)
  return { measure: "token_accuracy", before: first, matrix, ...matrixMeasures(matrix, first) }
}
