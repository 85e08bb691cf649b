/**
 * @module Trains an adapter over an open base and its runtime, from rows that a request brings: the same in an edge worker and
 * in a page, where there are no files.
 */
import { encodeUtf8 } from "../core/bytes.ts"
import { EspalierError } from "../core/errors.ts"
import { sha256Hex } from "../core/hash.ts"
import type { Runtime } from "../runtime/runtime.ts"
import { checkName } from "../service/adapters.ts"
import { trainedFiles } from "../service/save-adapter.ts"
import { type TrainedExamples, trainExamples } from "../service/train-examples.ts"
import type { TrainedCard, TrainRequest } from "../service/train-request.ts"
import type { TrainHooks } from "../train/trainer.ts"
import { checkGradients } from "./check-gradients.ts"
import { methodEnv } from "./method-env.ts"
import type { OpenBase } from "./open-base.ts"
import { methodOfRequest } from "./prepare-job.ts"

/** What trains. */
export interface TrainHere {
  readonly open: OpenBase
  readonly runtime: Runtime
  /** The most positions that are computed at once, where memory is short. @default what a processor's caches hold */
  readonly maxPositions?: number
}

/** An adapter that was trained: the files of its folder in PEFT's layout, by name, and how it went. */
export interface TrainedHere {
  readonly files: ReadonlyMap<string, Uint8Array>
  readonly card: TrainedCard
}

/**
 * Trains what a request asks for.
 * @throws {EspalierError} `invalid_request` or `invalid_file` naming what is wrong with the request or its rows, `conflict` for
 *   the base's own name, `aborted` if the signal ended it
 */
export async function trainHere(
  { open, runtime, maxPositions }: TrainHere,
  request: TrainRequest,
  hooks: Pick<TrainHooks, "onEvent" | "signal" | "breathe"> = {},
): Promise<TrainedHere> {
  const { base, tokenizer } = open
  if (!tokenizer) throw new EspalierError("unsupported", `Base "${base.name}" has no tokenizer.json`)
  checkName(request.name, base.name)
  const method = methodOfRequest(request, { name: "method", settings: "settings" })
  await checkGradients(runtime)
  const learned = await trainExamples(
    {
      ...{ base, tokenizer, runtime, method },
      env: methodEnv(base, tokenizer, request.seed),
      examples: request.examples,
      batchSize: request.batch_size,
      ...(request.max_length != null && { maxLength: request.max_length }),
      heldoutPart: request.heldout_part,
      seed: request.seed,
      ...(maxPositions !== undefined && { maxPositions }),
      train: {
        epochs: request.epochs,
        maxSteps: request.max_steps ?? null,
        learningRate: request.learning_rate ?? method.learningRate,
        checkpointEvery: null,
      },
    },
    hooks,
  )
  if (learned.result.status === "interrupted") throw new EspalierError("aborted", "The request was aborted")
  const files = trainedFiles(learned.trained, await factsOf(learned, request, runtime))
  return { files, card: cardOf(request.name, learned, files) }
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
