/**
 * @module What trains a job, as the queue sees it: a thread of its own in a server, anything else in a test.
 */
import type { JobSpec } from "./job-record.ts"

/** A job to run, as plain values. */
export interface JobWork {
  readonly id: string
  readonly spec: JobSpec
  /** The name that its adapter will have. */
  readonly model: string
  /** Threads that it began with; null for a job that begins. */
  readonly threads: number | null
}

/** What a run tells. */
export type RunnerEvent =
  | {
      readonly type: "started"
      readonly threads: number
      readonly steps: number
      /** Updates made before. */
      readonly resumedAt: number
    }
  /** Something for people. */
  | { readonly type: "message"; readonly message: string; readonly level: "info" | "warn" }
  | {
      readonly type: "step"
      readonly step: number
      readonly steps: number
      readonly loss: number
      readonly durationMs: number
      readonly data: Readonly<Record<string, number>>
    }
  | {
      readonly type: "evaluation"
      readonly step: number
      readonly loss: number
      readonly tokenAccuracy: number
    }

/** A checkpoint that was published as an adapter. */
export interface RunnerCheckpoint {
  readonly step: number
  readonly model: string
  readonly metrics: Readonly<Record<string, number>>
}

/** How a run ended. */
export type JobOutcome =
  /** It was told to stop, and a checkpoint is written. */
  | { readonly status: "interrupted"; readonly step: number }
  | {
      readonly status: "completed"
      readonly step: number
      readonly trainedTokens: number
      /** Whether the forgetting gate lets the adapter be served, and what it says if not. */
      readonly heldBack: string | null
      /** Metrics as CSV. */
      readonly metrics: string
    }

/** What a run tells, and how it is stopped. */
export interface TrainHooks {
  onEvent(event: RunnerEvent): void
  /** Awaited before the run's own checkpoint is written, so that none is resumed from that nobody was told of. */
  onCheckpoint(checkpoint: RunnerCheckpoint): Promise<void>
  /** Ends the run after the update that it is at, with a checkpoint. */
  readonly signal: AbortSignal
}

/** Hooks of a run that can be given up. */
export interface RunnerHooks extends TrainHooks {
  /** Ends the run at once: it rejects, and goes on from its last checkpoint another time. */
  readonly abandoned: AbortSignal
}

/** Trains jobs. */
export interface JobRunner {
  /**
   * Looks at what can be known before a job is taken.
   * @throws {EspalierError} `invalid_request`, `not_found` or `unsupported`, naming the field.
   */
  check(spec: JobSpec): void
  /**
   * Trains from the job's last checkpoint, or from the start, and publishes the adapter under its name's folder.
   * @throws {EspalierError} If the job can't be trained.
   */
  run(work: JobWork, hooks: RunnerHooks): Promise<JobOutcome>
  /** Removes what a run keeps for going on. */
  forget(job: string): Promise<void>
}
