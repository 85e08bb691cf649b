/**
 * @module Jobs, events and checkpoints in OpenAI's shapes.
 */
import type { JobCheckpoint, JobEvent } from "../jobs/event-table.ts"
import type { JobRecord } from "../jobs/job-record.ts"
import { toSeconds } from "./context.ts"
import type { JobCheckpointObject, JobEventObject, JobObject } from "./jobs-wire.ts"

const seconds = (milliseconds: number | null): number | null => (milliseconds === null ? null : toSeconds(milliseconds))

/** A job as OpenAI shows it. */
export function jobObject(job: JobRecord): JobObject {
  const { id, spec, status } = job
  const hyperparameters = {
    n_epochs: spec.epochs,
    batch_size: spec.batchSize,
    learning_rate_multiplier: spec.rateMultiplier,
  }
  return {
    id,
    object: "fine_tuning.job",
    created_at: toSeconds(job.createdAt),
    finished_at: seconds(job.finishedAt),
    estimated_finish: seconds(job.estimatedFinish),
    model: spec.model,
    fine_tuned_model: job.model,
    organization_id: "org-espalier",
    status,
    hyperparameters,
    method: { type: "supervised", supervised: { hyperparameters } },
    training_file: spec.trainingFile.id,
    validation_file: spec.validationFile?.id ?? null,
    result_files: job.resultFile === null ? [] : [job.resultFile],
    trained_tokens: job.trainedTokens,
    seed: spec.seed,
    error: job.error,
    integrations: [],
    metadata: job.metadata,
    user_provided_suffix: spec.suffix,
    espalier: { method: spec.method, settings: spec.settings, paused: job.paused, step: job.step, steps: job.steps },
  }
}

/** An event as OpenAI shows it. */
export const eventObject = ({ id, createdAt, level, message, type, data }: JobEvent): JobEventObject => ({
  id,
  object: "fine_tuning.job.event",
  created_at: toSeconds(createdAt),
  level,
  message,
  type,
  data,
})

/** A checkpoint as OpenAI shows it. */
export const checkpointObject = ({ id, job, createdAt, step, model, metrics }: JobCheckpoint): JobCheckpointObject => ({
  id,
  object: "fine_tuning.job.checkpoint",
  created_at: toSeconds(createdAt),
  fine_tuned_model_checkpoint: model,
  fine_tuning_job_id: job,
  metrics,
  step_number: step,
})
