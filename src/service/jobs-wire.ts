/**
 * @module OpenAI's shapes of files and fine-tuning: what requests may hold and what answers look like.
 *
 * Source: https://platform.openai.com/docs/api-reference/files and .../fine-tuning; the `openai` package's types.
 */
import * as v from "valibot"
import type { FilePurpose } from "../jobs/file-table.ts"

const id = v.pipe(v.string(), v.minLength(1), v.maxLength(64))
/** A number in a query is text. */
export const countText = (most: number) =>
  v.pipe(v.string(), v.regex(/^\d{1,6}$/, "Expected a number"), v.transform(Number), v.minValue(1), v.maxValue(most))

/** GET /v1/files. */
export const fileListQuery = v.object({
  limit: v.optional(countText(10_000), "10000"),
  after: v.nullish(id),
  order: v.optional(v.picklist(["asc", "desc"]), "desc"),
  purpose: v.nullish(v.pipe(v.string(), v.maxLength(64))),
})

/** The lists below /v1/fine_tuning/jobs. */
export const jobListQuery = v.object({
  limit: v.optional(countText(100), "20"),
  after: v.nullish(id),
})

const autoOr = (schema: v.GenericSchema<number>) => v.nullish(v.union([v.literal("auto"), schema]))

const hyperparameters = v.object({
  n_epochs: autoOr(v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(50))),
  batch_size: autoOr(v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(256))),
  learning_rate_multiplier: autoOr(v.pipe(v.number(), v.gtValue(0), v.maxValue(1000))),
})

const metadata = v.pipe(
  v.record(v.pipe(v.string(), v.maxLength(64)), v.pipe(v.string(), v.maxLength(512))),
  v.maxEntries(16),
)

/** Our own settings: how the adapter is made, and when. Everything is optional. */
const espalier = v.strictObject({
  /** A method's name and its settings, as `--method` and `--set`. */
  method: v.nullish(v.pipe(v.string(), v.maxLength(64))),
  settings: v.nullish(v.pipe(v.record(v.pipe(v.string(), v.maxLength(64)), v.unknown()), v.maxEntries(64))),
  learning_rate: v.nullish(v.pipe(v.number(), v.gtValue(0), v.maxValue(10))),
  max_steps: v.nullish(v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(10_000_000))),
  max_length: v.nullish(v.pipe(v.number(), v.integer(), v.minValue(2), v.maxValue(1_000_000))),
  /** The part of the rows that is held out where there is no validation file. */
  heldout_part: v.nullish(v.pipe(v.number(), v.minValue(0), v.maxValue(0.5))),
  evaluate_every: v.nullish(v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(10_000_000))),
  patience: v.nullish(v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(1000))),
  checkpoint_every: v.nullish(v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(10_000_000))),
  loss_on: v.nullish(v.picklist(["completion", "all"])),
  /** The forgetting gate: points of a hundred that the base's own suite may fall by. */
  max_forgetting: v.nullish(v.pipe(v.number(), v.minValue(0), v.maxValue(100))),
})

/** POST /v1/fine_tuning/jobs. */
export const jobRequest = v.object({
  model: v.pipe(v.string(), v.minLength(1), v.maxLength(256)),
  training_file: id,
  validation_file: v.nullish(id),
  hyperparameters: v.nullish(hyperparameters),
  method: v.nullish(
    v.object({
      type: v.picklist(["supervised", "dpo", "reinforcement"]),
      supervised: v.nullish(v.object({ hyperparameters: v.nullish(hyperparameters) })),
    }),
  ),
  suffix: v.nullish(
    v.pipe(
      v.string(),
      v.regex(
        /^(?!.*\.\.)[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/,
        "Expected up to 64 letters, digits, dots, dashes and underscores that begin with a letter or digit",
      ),
    ),
  ),
  seed: v.nullish(v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(2 ** 31 - 1))),
  metadata: v.nullish(metadata),
  integrations: v.nullish(v.pipe(v.array(v.unknown()), v.maxLength(8))),
  espalier: v.nullish(espalier),
})

/** A checked job request. */
export type JobRequest = v.InferOutput<typeof jobRequest>

/** A list in pages. */
export interface PageBody<T> {
  readonly object: "list"
  readonly data: readonly T[]
  readonly has_more: boolean
  readonly first_id: string
  readonly last_id: string
}

/** One page as a body. Ids of an empty one are empty: OpenAI's published lists have strings there, and no null. */
export function pageBody<T extends { readonly id: string }>(data: readonly T[], hasMore: boolean): PageBody<T> {
  return {
    object: "list",
    data,
    has_more: hasMore,
    first_id: data[0]?.id ?? "",
    last_id: data.at(-1)?.id ?? "",
  }
}

/** A file. */
export interface FileObject {
  readonly id: string
  readonly object: "file"
  readonly bytes: number
  readonly created_at: number
  readonly filename: string
  readonly purpose: FilePurpose
  readonly status: "processed"
}

/** What is left of a thing that was deleted. */
export interface DeletedBody<O extends string> {
  readonly id: string
  readonly object: O
  readonly deleted: true
}

/** Every status that the SDK's types have. */
export type JobStatus = "validating_files" | "queued" | "running" | "succeeded" | "failed" | "cancelled"

/** Hyperparameters as a job shows them: what was asked for until it starts, what was taken from then on. */
export interface JobHyperparameters {
  readonly n_epochs: "auto" | number
  readonly batch_size: "auto" | number
  readonly learning_rate_multiplier: "auto" | number
}

/** A fine-tuning job. */
export interface JobObject {
  readonly id: string
  readonly object: "fine_tuning.job"
  readonly created_at: number
  readonly finished_at: number | null
  readonly estimated_finish: number | null
  readonly model: string
  readonly fine_tuned_model: string | null
  readonly organization_id: string
  readonly status: JobStatus
  readonly hyperparameters: JobHyperparameters
  readonly method: {
    readonly type: "supervised"
    readonly supervised: { readonly hyperparameters: JobHyperparameters }
  }
  readonly training_file: string
  readonly validation_file: string | null
  readonly result_files: readonly string[]
  readonly trained_tokens: number | null
  readonly seed: number
  readonly error: { readonly code: string; readonly message: string; readonly param: string | null } | null
  readonly integrations: readonly never[]
  readonly metadata: Readonly<Record<string, string>> | null
  readonly user_provided_suffix: string | null
  /** Ours: how the adapter is made, and how far it is. */
  readonly espalier: {
    readonly method: string
    readonly settings: Readonly<Record<string, unknown>>
    readonly paused: boolean
    readonly step: number
    readonly steps: number | null
  }
}

/** An event of a job. */
export interface JobEventObject {
  readonly id: string
  readonly object: "fine_tuning.job.event"
  readonly created_at: number
  readonly level: "info" | "warn" | "error"
  readonly message: string
  readonly type: "message" | "metrics"
  readonly data: unknown
}

/** A checkpoint of a job. */
export interface JobCheckpointObject {
  readonly id: string
  readonly object: "fine_tuning.job.checkpoint"
  readonly created_at: number
  readonly fine_tuned_model_checkpoint: string
  readonly fine_tuning_job_id: string
  readonly metrics: Readonly<Record<string, number>>
  readonly step_number: number
}
