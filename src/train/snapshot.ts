/**
 * @module The whole state of a run between two updates. With it and the same base, data and settings a run continues as
 * if it had never stopped: batches and dropout masks are functions of (seed, step), so that no generator's state is in it.
 */
import type { Evaluation, TaskEvaluation, TaskScore } from "./events.ts"
import type { OptimizerState } from "./optimizer.ts"

/** The small part, plain JSON. */
export interface Progress {
  /** Updates made: the cursor into data, learning rate schedule and dropout seeds. */
  readonly step: number
  /** Updates made before the last evaluation; -1 before the first. */
  readonly evaluatedAt: number
  /** The best evaluation so far. */
  readonly best: Evaluation | null
  /** Evaluations since the best one: early stopping counts them. */
  readonly withoutGain: number
  /** Tokens trained on so far, padding aside. */
  readonly tokensSeen: number
}

/** Every task's figures after one task of a curriculum, in the order of the tasks. */
export interface CurriculumRow {
  readonly losses: readonly TaskEvaluation[]
  readonly scores: readonly TaskScore[]
}

/** Where a curriculum is; progress, optimizer and best values are those of the task that it is at. */
export interface CurriculumState {
  /** The task that is trained, 0-based. */
  readonly stage: number
  /** A row for each task that is done. */
  readonly rows: readonly CurriculumRow[]
}

/** Everything. The arrays may be views of what the run goes on changing: copy or write them before it goes on. */
export interface Snapshot {
  readonly progress: Progress
  /** The trainables, f32, flat. */
  readonly values: Float32Array
  readonly optimizer: OptimizerState
  /** The trainables at the best evaluation; null if there was none. */
  readonly bestValues: Float32Array | null
  /** In a curriculum alone. */
  readonly curriculum?: CurriculumState
}

/** Where a run starts. */
export const noProgress: Progress = { step: 0, evaluatedAt: -1, best: null, withoutGain: 0, tokensSeen: 0 }
