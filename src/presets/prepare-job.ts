/**
 * @module A job's specification as a method and settings of a run.
 */
import { methods } from "../../adapters/mod.ts"
import { EspalierError } from "../core/errors.ts"
import type { JobSpec } from "../jobs/job-record.ts"
import type { PreparedMethod } from "../method.ts"
import type { TrainingSettings } from "../service/training-run.ts"

/**
 * The method of a job.
 * @throws {EspalierError} `invalid_request` or `unsupported` naming the field.
 */
export function methodOfJob({ method: name, settings }: Pick<JobSpec, "method" | "settings">): PreparedMethod {
  const method = methods.find((each) => each.name === name)
  if (!method) {
    throw new EspalierError("invalid_request", `There is no method "${name}"`, {
      param: "espalier.method",
      hint: `Methods: ${methods.map((each) => each.name).join(", ")}`,
    })
  }
  let prepared: PreparedMethod
  try {
    prepared = method.prepare(settings)
  } catch (error) {
    if (!(error instanceof EspalierError)) throw error
    throw new EspalierError(error.code, error.message, {
      param: "espalier.settings",
      ...(error.hint !== undefined && { hint: error.hint }),
      cause: error,
    })
  }
  if (prepared.peftType !== null) return prepared
  throw new EspalierError("unsupported", `Method ${name} makes a base of its own, which no request can name`, {
    param: "espalier.method",
    hint: "Train it with espalier train, or choose a method that makes an adapter",
  })
}

/** The settings of a job's run. */
export function settingsOfJob(spec: JobSpec, method: PreparedMethod): TrainingSettings {
  return {
    batchSize: spec.batchSize,
    accumulation: 1,
    ...(spec.maxLength !== null && { maxLength: spec.maxLength }),
    lossOn: spec.lossOn,
    chatTemplate: true,
    seed: spec.seed,
    train: {
      epochs: spec.epochs,
      maxSteps: spec.maxSteps,
      learningRate: (spec.learningRate ?? method.learningRate) * spec.rateMultiplier,
      evaluateEvery: spec.evaluateEvery,
      patience: spec.patience,
      checkpointEvery: spec.checkpointEvery,
      seed: spec.seed,
    },
  }
}
