/**
 * @module Trains adapters within requests and publishes them to a bucket: one at a time, within limits.
 */
import { EspalierError } from "../core/errors.ts"
import type { Runtime } from "../runtime/runtime.ts"
import type { TrainAdapter, TrainedCard, TrainLimits, TrainRequest } from "../service/train-request.ts"
import type { BucketEngine } from "./bucket-adapters.ts"
import { type OpenBase, openAsHalves } from "./open-base.ts"
import type { SessionTurns } from "./session-turns.ts"
import { trainHere } from "./train-here.ts"

/** What trains. */
export interface BucketTrainerOptions {
  readonly open: OpenBase
  readonly runtime: Runtime
  readonly engine: BucketEngine
  readonly limits: TrainLimits
  /** The most positions that are computed at once. */
  readonly maxPositions: number
  /** Who holds sessions: those that answer, or the one that trains. */
  readonly turns: SessionTurns
}

/** A trainer over an engine's own base and runtime; the base is held as f16 meanwhile, where its checkpoint is. */
export function bucketTrainer(options: BucketTrainerOptions): TrainAdapter {
  let isTraining = false
  return async (request, signal) => {
    if (isTraining)
      throw new EspalierError("queue_full", "Another adapter is being trained", { hint: "Try again in a moment" })
    isTraining = true
    try {
      return await trainAndPublish(options, request, signal)
    } finally {
      isTraining = false
    }
  }
}

async function trainAndPublish(
  { open, runtime, engine, limits, maxPositions, turns }: BucketTrainerOptions,
  request: TrainRequest,
  signal: AbortSignal,
): Promise<TrainedCard> {
  checkLimits(request, limits)
  const { files, card } = await turns.training(async () =>
    trainHere({ open: await openAsHalves(open), runtime, maxPositions }, request, {
      signal,
      breathe: (step) => turns.betweenSteps(async () => step.rest?.()),
    }),
  )
  await engine.publish(request.name, files)
  return card
}

/** @throws {EspalierError} `too_large` for more than one request may ask for. */
function checkLimits({ examples, epochs, max_steps, batch_size }: TrainRequest, limits: TrainLimits): void {
  const hint = "Train it with espalier train or a fine-tuning job, and put the adapter into the bucket"
  if (examples.length > limits.maxExamples)
    throw new EspalierError(
      "too_large",
      `Expected at most ${limits.maxExamples} examples but found ${examples.length}`,
      {
        param: "examples",
        hint,
      },
    )
  const rows = Math.min(examples.length * epochs, (max_steps ?? Number.POSITIVE_INFINITY) * batch_size)
  if (rows > limits.maxRows)
    throw new EspalierError(
      "too_large",
      `Expected at most ${limits.maxRows} rows over all epochs but found ${Math.ceil(rows)}`,
      { param: "epochs", hint },
    )
}
