/**
 * @module From what a client asks for to a job's specification, with nothing left open.
 */
import { EspalierError } from "../core/errors.ts"
import type { JobFile, JobSpec } from "../jobs/job-record.ts"
import type { JobRequest } from "./jobs-wire.ts"

/** What `auto` stands for. */
const AUTO = { epochs: 3, batchSize: 8, rateMultiplier: 1 }
/** Updates between checkpoints where nobody says. */
const CHECKPOINT_EVERY = 50

/** What a specification takes beside the request. */
export interface SpecParts {
  readonly training: JobFile
  readonly validation: JobFile | null
  /** Of a request without one. */
  readonly seed: number
}

/**
 * The specification.
 * @throws {EspalierError} `unsupported` for a kind of training that there is not.
 */
export function specOf(request: JobRequest, { training, validation, seed }: SpecParts): JobSpec {
  const { method, integrations, espalier } = request
  if (method && method.type !== "supervised") {
    throw new EspalierError("unsupported", `Expected the method "supervised" but found "${method.type}"`, {
      param: "method.type",
    })
  }
  if (integrations && integrations.length > 0) {
    throw new EspalierError("unsupported", "This server has no integrations: a job's metrics are among its events", {
      param: "integrations",
    })
  }
  const { n_epochs, batch_size, learning_rate_multiplier } =
    method?.supervised?.hyperparameters ?? request.hyperparameters ?? {}
  return {
    model: request.model,
    suffix: request.suffix ?? null,
    seed: request.seed ?? seed,
    trainingFile: training,
    validationFile: validation,
    epochs: decided(n_epochs, AUTO.epochs),
    batchSize: decided(batch_size, AUTO.batchSize),
    rateMultiplier: decided(learning_rate_multiplier, AUTO.rateMultiplier),
    method: espalier?.method ?? "lora",
    settings: espalier?.settings ?? {},
    learningRate: espalier?.learning_rate ?? null,
    maxSteps: espalier?.max_steps ?? null,
    maxLength: espalier?.max_length ?? null,
    heldoutPart: espalier?.heldout_part ?? 0,
    evaluateEvery: espalier?.evaluate_every ?? null,
    patience: espalier?.patience ?? null,
    checkpointEvery: espalier?.checkpoint_every ?? CHECKPOINT_EVERY,
    lossOn: espalier?.loss_on ?? "completion",
    maxForgetting: espalier?.max_forgetting ?? null,
  }
}

const decided = (given: "auto" | number | null | undefined, auto: number): number =>
  typeof given === "number" ? given : auto

/**
 * `metadata[key]=value` of a query, any number of them; `metadata=null` for jobs without any; undefined where the query
 * asks for neither.
 */
export function metadataFilter(query: Readonly<Record<string, string>>): Record<string, string> | null | undefined {
  if (query["metadata"] === "null") return null
  const entries = Object.entries(query).flatMap(([name, value]) => {
    const key = /^metadata\[(.{1,64})\]$/.exec(name)?.[1]
    return key === undefined ? [] : [[key, value] as const]
  })
  if (entries.length > 16)
    throw new EspalierError("invalid_request", "Expected at most 16 pairs", { param: "metadata" })
  return entries.length === 0 ? undefined : Object.fromEntries(entries)
}
