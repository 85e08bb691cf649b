/**
 * @module Trains an adapter on rows at hand, without a file being touched: in an edge worker, or in a page.
 */
import { EspalierError } from "../core/errors.ts"
import { BUCKET, collateSorted, mostLabelled } from "../data/batch.ts"
import { buildDataset, type DatasetReport } from "../data/dataset.ts"
import { parseRows } from "../data/rows.ts"
import { splitHeldout } from "../data/split.ts"
import type { MethodEnv, PreparedMethod } from "../method.ts"
import type { Base } from "../models/base.ts"
import type { Runtime } from "../runtime/runtime.ts"
import type { Tokenizer } from "../text/tokenizer-contract.ts"
import type { TrainConfig } from "../train/config.ts"
import { graphStep } from "../train/graph-step.ts"
import { exampleSource } from "../train/source.ts"
import { type TrainHooks, type TrainResult, train } from "../train/trainer.ts"
import type { Trained } from "./save-adapter.ts"

/** What a run is made of. */
export interface ExampleTraining {
  readonly base: Base
  readonly tokenizer: Tokenizer
  readonly runtime: Runtime
  readonly method: PreparedMethod
  readonly env: MethodEnv
  /** Rows in any shape that a data file may have. */
  readonly examples: readonly Readonly<Record<string, unknown>>[]
  readonly batchSize: number
  /** Longer rows are cut, in tokens. @default the base's context */
  readonly maxLength?: number
  /** The most positions that are computed at once, where memory is short. @default what a processor's caches hold */
  readonly maxPositions?: number
  /** From 0 to below 1. */
  readonly heldoutPart: number
  /** Decides split and order; the initialisation is `env`'s. */
  readonly seed: number
  readonly train: TrainConfig
}

/** What came of it. */
export interface TrainedExamples {
  readonly trained: Trained
  readonly report: DatasetReport
  readonly result: TrainResult
}

/**
 * Trains an adapter.
 * @returns the run's result, with status `interrupted` if the signal ended it
 * @throws {EspalierError} `invalid_file` if no row can be used; `unsupported` for a method that makes a base of its own;
 *   `invalid_request` if a setting is outside its range
 */
export async function trainExamples(
  options: ExampleTraining,
  hooks: Pick<TrainHooks, "onEvent" | "signal" | "breathe"> = {},
): Promise<TrainedExamples> {
  const { base, tokenizer, runtime, method, env, batchSize, seed } = options
  if (method.peftType === null)
    throw new EspalierError("unsupported", `Method ${method.name} makes a base of its own, and no adapter`, {
      param: "method",
    })
  const room = base.config.contextLength - method.virtualTokens
  const maxLength = Math.min(options.maxLength ?? room, room)
  const parsed = parseRows(options.examples.map((value, i) => ({ line: i + 1, value })))
  const { examples, report } = buildDataset(
    parsed.rows,
    tokenizer,
    { maxLength },
    { name: "The examples", skipped: parsed.skipped },
  )
  const split = splitHeldout(examples, { seed, heldout: options.heldoutPart })
  const step = await graphStep({
    runtime,
    base,
    method,
    env,
    maxLength: Math.ceil(Math.max(...examples.map(({ ids }) => ids.length)) / BUCKET) * BUCKET,
    maxLabelled: mostLabelled(examples, batchSize),
    ...(options.maxPositions !== undefined && { maxPositions: options.maxPositions }),
  })
  try {
    const source = exampleSource(split.train, { batchSize, seed })
    const heldout = collateSorted(split.heldout, batchSize)
    const result = await train(step, { source, heldout }, { ...options.train, seed }, hooks)
    return { trained: { base, method, env, tensors: step.tensors() }, report, result }
  } finally {
    await step.dispose()
  }
}
