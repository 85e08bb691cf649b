/**
 * @module POST /v1/train, where a server trains within the request that asks for it: its body and its answer.
 */
import * as v from "valibot"

/** How much a request may ask for: it holds its server's only thread until it is done. */
export interface TrainLimits {
  readonly maxExamples: number
  /** Rows of all epochs together. */
  readonly maxRows: number
}

const count = v.pipe(v.number(), v.integer(), v.minValue(1))

/** The body. */
export const trainRequest = v.strictObject({
  name: v.string(),
  method: v.optional(v.string(), "prompt_tuning"),
  settings: v.optional(v.record(v.string(), v.unknown()), {}),
  examples: v.pipe(v.array(v.record(v.string(), v.unknown())), v.minLength(1)),
  epochs: v.optional(v.pipe(v.number(), v.gtValue(0)), 3),
  max_steps: v.nullish(count),
  batch_size: v.optional(count, 8),
  learning_rate: v.nullish(v.pipe(v.number(), v.gtValue(0))),
  max_length: v.nullish(v.pipe(v.number(), v.integer(), v.minValue(2))),
  heldout_part: v.optional(v.pipe(v.number(), v.minValue(0), v.ltValue(1)), 0.1),
  seed: v.optional(v.pipe(v.number(), v.integer()), 0),
})

/** A checked body. */
export type TrainRequest = v.InferOutput<typeof trainRequest>

/** The answer: the adapter, and how its training went. */
export interface TrainedCard {
  readonly id: string
  readonly object: "adapter"
  readonly method: string
  readonly bytes: number
  readonly parent: string
  readonly training: {
    readonly examples: number
    readonly skipped: readonly { readonly line: number; readonly reason: string }[]
    readonly steps: number
    /** Loss of the first and the last update, in nats per labelled token. */
    readonly first_loss: number | null
    readonly last_loss: number | null
    /** Held-out loss before training and with the values that were kept; null where nothing was held out. */
    readonly heldout_before: number | null
    readonly heldout_after: number | null
    readonly tokens: number
  }
}

/** Trains what a request asks for, and makes it ready to be served. */
export type TrainAdapter = (request: TrainRequest, signal: AbortSignal) => Promise<TrainedCard>
