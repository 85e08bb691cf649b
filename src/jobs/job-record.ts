/**
 * @module A fine-tuning job as it is kept: what was asked for, and how far it is.
 */

/** Where a job is. A paused one waits in `queued`. */
export type JobStatus = "validating_files" | "queued" | "running" | "succeeded" | "failed" | "cancelled"

/** What was asked for, with nothing left open: the same specification and data give the same bytes. Plain JSON. */
export interface JobSpec {
  /** The base's name. */
  readonly model: string
  readonly suffix: string | null
  readonly seed: number
  readonly trainingFile: JobFile
  readonly validationFile: JobFile | null
  readonly epochs: number
  readonly batchSize: number
  /** What the learning rate is multiplied by. */
  readonly rateMultiplier: number
  /** The adapter's method, and its settings as they were given. */
  readonly method: string
  readonly settings: Readonly<Record<string, unknown>>
  /** Peak learning rate before it is multiplied; null takes the method's own. */
  readonly learningRate: number | null
  readonly maxSteps: number | null
  readonly maxLength: number | null
  /** The part of the rows that is held out where there is no validation file. */
  readonly heldoutPart: number
  readonly evaluateEvery: number | null
  readonly patience: number | null
  readonly checkpointEvery: number
  readonly lossOn: "completion" | "all"
  /** Points of a hundred that the base may forget; null gates nothing. */
  readonly maxForgetting: number | null
}

/** A file of a job: its contents are kept for as long as the job needs them, though the file be deleted. */
export interface JobFile {
  readonly id: string
  readonly name: string
  readonly sha256: string
}

/** Why a job failed. */
export interface JobError {
  readonly code: string
  readonly message: string
  readonly param: string | null
}

/** A job. Times are milliseconds since 1970. */
export interface JobRecord {
  readonly id: string
  readonly owner: string
  readonly createdAt: number
  readonly finishedAt: number | null
  readonly status: JobStatus
  /** It is not to run until it is resumed. */
  readonly paused: boolean
  /** sha256 of the base that it trains over. */
  readonly baseHash: string
  readonly spec: JobSpec
  readonly metadata: Readonly<Record<string, string>> | null
  /** Threads that it began with: others would give other bytes. */
  readonly threads: number | null
  /** Updates made. */
  readonly step: number
  readonly steps: number | null
  readonly estimatedFinish: number | null
  readonly trainedTokens: number | null
  /** What its adapter is called once there is one. */
  readonly modelName: string
  /** The same, from the moment that it may be asked. */
  readonly model: string | null
  /** The id of the file with its metrics. */
  readonly resultFile: string | null
  readonly error: JobError | null
  /** How often the server ended in the middle of it since its last checkpoint. */
  readonly crashes: number
}

/** Whether a job has come to its end. */
export const isOver = (status: JobStatus): boolean =>
  status === "succeeded" || status === "failed" || status === "cancelled"
