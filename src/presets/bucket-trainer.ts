/**
 * @module Trains adapters within requests and publishes them to a bucket: one at a time, within limits.
 */

import { encodeUtf8 } from "../core/bytes.ts"
import { EspalierError } from "../core/errors.ts"
import { sha256Hex } from "../core/hash.ts"
import type { Runtime } from "../runtime/runtime.ts"
import { checkName } from "../service/adapters.ts"
import { trainedFiles } from "../service/save-adapter.ts"
import { type TrainedExamples, trainExamples } from "../service/train-examples.ts"
import type { TrainAdapter, TrainedCard, TrainLimits, TrainRequest } from "../service/train-request.ts"
import type { BucketEngine } from "./bucket-adapters.ts"
import { methodEnv } from "./method-env.ts"
import type { OpenBase } from "./open-base.ts"
import { methodOfRequest } from "./prepare-job.ts"

/** What trains. */
export interface BucketTrainerOptions {
  readonly open: OpenBase
  readonly runtime: Runtime
  readonly engine: BucketEngine
  readonly limits: TrainLimits
}

/** A trainer over an engine's own base and runtime. */
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
  { open, runtime, engine, limits }: BucketTrainerOptions,
  request: TrainRequest,
  signal: AbortSignal,
): Promise<TrainedCard> {
  const { base, tokenizer } = open
  if (!tokenizer) throw new EspalierError("unsupported", `Base "${base.name}" has no tokenizer.json`)
  checkName(request.name, base.name)
  checkLimits(request, limits)
  const method = methodOfRequest(request, { name: "method", settings: "settings" })
  const learned = await trainExamples(
    {
      ...{ base, tokenizer, runtime, method },
      env: methodEnv(base, tokenizer, request.seed),
      examples: request.examples,
      batchSize: request.batch_size,
      ...(request.max_length != null && { maxLength: request.max_length }),
      heldoutPart: request.heldout_part,
      seed: request.seed,
      train: {
        epochs: request.epochs,
        maxSteps: request.max_steps ?? null,
        learningRate: request.learning_rate ?? method.learningRate,
        checkpointEvery: null,
      },
    },
    { signal },
  )
  if (learned.result.status === "interrupted") throw new EspalierError("aborted", "The request was aborted")
  const files = trainedFiles(learned.trained, await factsOf(learned, request, runtime))
  await engine.publish(request.name, files)
  return cardOf(request.name, learned, files)
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

/** espalier.json: what the adapter was made of. */
async function factsOf(
  { trained: { base, method }, report }: TrainedExamples,
  request: TrainRequest,
  runtime: Runtime,
): Promise<Record<string, unknown>> {
  const { name: _, method: __, settings: ___, examples, ...settings } = request
  return {
    format: 1,
    method: { name: method.name, settings: method.config },
    base: { name: base.name, hash: base.hash, ...(base.quantization && { quantization: base.quantization }) },
    data: {
      name: "examples of a request",
      sha256: await sha256Hex(encodeUtf8(JSON.stringify(examples))),
      rows: report.used,
      heldout: null,
    },
    settings,
    runtime: { backend: runtime.name, detail: runtime.detail, threads: runtime.threads },
  }
}

function cardOf(
  id: string,
  { trained: { base, method }, report, result }: TrainedExamples,
  files: ReadonlyMap<string, Uint8Array>,
): TrainedCard {
  const { losses, evaluations, best } = result
  return {
    id,
    object: "adapter",
    method: method.name,
    bytes: [...files.values()].reduce((sum, bytes) => sum + bytes.length, 0),
    parent: base.name,
    training: {
      examples: report.used,
      skipped: report.skipped,
      steps: result.step,
      first_loss: losses[0] ?? null,
      last_loss: losses.at(-1) ?? null,
      heldout_before: evaluations[0]?.loss ?? null,
      heldout_after: best?.loss ?? null,
      tokens: result.tokensSeen,
    },
  }
}
