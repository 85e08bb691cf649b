/**
 * @module What a run tells while it goes on. Progress lines, metrics and charts are all made from these.
 */

/** Why a run ended. */
export type RunStatus = "completed" | "stopped-early" | "interrupted"

/** Figures of an evaluation over one task's held-out rows. */
export interface TaskEvaluation {
  readonly name: string
  /** Mean negative log-likelihood per labelled token, in nats. */
  readonly loss: number
  /** The part of labelled tokens that were the most likely one. */
  readonly tokenAccuracy: number
  readonly labelled: number
}

/** Figures of an evaluation over the held-out rows. */
export interface Evaluation {
  /** Updates made before it. */
  readonly step: number
  /** Mean negative log-likelihood per labelled token, in nats; of several tasks the mean of theirs. */
  readonly loss: number
  /** exp(loss). */
  readonly perplexity: number
  /** The part of labelled tokens that were the most likely one. */
  readonly tokenAccuracy: number
  /** Labelled tokens. */
  readonly labelled: number
  /** Each task's own figures, where there are several. */
  readonly tasks?: readonly TaskEvaluation[]
}

/** The run is set up. */
export interface RunStart {
  readonly type: "run-start"
  /** Updates of the whole run. */
  readonly steps: number
  /** Updates of one pass over the data; null where there is no end. */
  readonly stepsPerEpoch: number | null
  /** Trainable values. */
  readonly trainable: number
  /** Updates made before, by the run that is resumed; 0 for a new run. */
  readonly resumedAt: number
}

/** One update was made. */
export interface StepEnd {
  readonly type: "step-end"
  /** Updates made, this one included. */
  readonly step: number
  readonly steps: number
  /** Passes over the data so far, with a fraction. 0 where a pass has no end. */
  readonly epoch: number
  /** Mean negative log-likelihood per labelled token of this step's batches, before the update. */
  readonly loss: number
  readonly learningRate: number
  /** Global norm before clipping. */
  readonly gradNorm: number
  /** Tokens of this step, padding aside. */
  readonly tokens: number
  /** Positions of this step, padding included. */
  readonly positions: number
  /** Tokens of the whole run so far, padding aside. */
  readonly tokensSeen: number
  readonly durationMs: number
}

/** The held-out rows were evaluated. */
export interface EvaluationEnd extends Evaluation {
  readonly type: "evaluation-end"
  readonly epoch: number
  /** Whether no evaluation before was better. */
  readonly isBest: boolean
  readonly durationMs: number
}

/** A checkpoint is safely written. */
export interface CheckpointSaved {
  readonly type: "checkpoint-saved"
  readonly step: number
  readonly reason: "interval" | "interrupt"
}

/** Something that people should know and that stops nothing. */
export interface Warning {
  readonly type: "warning"
  readonly message: string
}

/** A task of a curriculum begins. */
export interface StageStart {
  readonly type: "stage-start"
  /** Updates made before it, over all stages. */
  readonly step: number
  /** 0-based. */
  readonly stage: number
  readonly stages: number
  /** The task's name. */
  readonly name: string
}

/** How many held-out answers of a task are right. */
export interface TaskScore {
  readonly name: string
  /** Questions that were asked; 0 where its rows hold none. */
  readonly questions: number
  /** The part that was answered right to the letter; null where nothing was asked. */
  readonly exact: number | null
}

/** Held-out answers were scored, task by task. */
export interface TasksScored {
  readonly type: "tasks-scored"
  /** Updates made before, over all stages. */
  readonly step: number
  readonly tasks: readonly TaskScore[]
}

/** The run is over. */
export interface RunEnd {
  readonly type: "run-end"
  readonly status: RunStatus
  /** Updates made. */
  readonly step: number
  /** The best evaluation, whose values are kept; null if there was none. */
  readonly best: Evaluation | null
  readonly durationMs: number
}

/** Any event of a run. */
export type TrainEvent =
  | RunStart
  | StepEnd
  | EvaluationEnd
  | CheckpointSaved
  | Warning
  | StageStart
  | TasksScored
  | RunEnd
