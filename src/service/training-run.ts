/**
 * @module One training run from data files to a saved adapter: data set, step, loop, checkpoints, metrics, scores before
 * and after. The command line and the job queue both start runs here.
 */
import { EspalierError } from "../core/errors.ts"
import { BUCKET, collateSorted, type Example, mostLabelled } from "../data/batch.ts"
import { type DatasetReport, type LoadedDataset, loadDataset } from "../data/dataset.ts"
import type { LossOn } from "../data/mask.ts"
import { type Question, questionOf } from "../data/question.ts"
import { splitHeldout } from "../data/split.ts"
import type { MethodEnv, PreparedMethod } from "../method.ts"
import type { Base } from "../models/base.ts"
import { planTraining, type TrainingPlan } from "../plan/training.ts"
import type { Runtime } from "../runtime/runtime.ts"
import type { Tokenizer } from "../text/tokenizer-contract.ts"
import { checkpointFile } from "../train/checkpoint-file.ts"
import { type TrainConfig, withDefaults } from "../train/config.ts"
import type { TrainEvent } from "../train/events.ts"
import { type GraphStep, graphStep } from "../train/graph-step.ts"
import { openMetrics } from "../train/metrics-file.ts"
import { exampleSource } from "../train/source.ts"
import { type TrainResult, train } from "../train/trainer.ts"

/** A data file. */
export interface DataFile {
  readonly name: string
  readonly bytes: Uint8Array
}

/** What a run is made of. */
export interface TrainingRunOptions {
  readonly base: Base
  readonly tokenizer: Tokenizer
  readonly runtime: Runtime
  readonly method: PreparedMethod
  readonly env: MethodEnv
  readonly data: DataFile
  /** Held-out rows of their own; without them a part of the data is held out. */
  readonly heldout: DataFile | null
  /** The part of the data that is held out where there is no file. @default {0.1} */
  readonly heldoutPart?: number
  /** A folder for the run's checkpoint and metrics. */
  readonly runFolder: string
  /** Go on from the checkpoint in `runFolder`, if there is one. */
  readonly resume: boolean
  readonly settings: TrainingSettings
}

/** Settings of a run: plain JSON, part of its identity. */
export interface TrainingSettings {
  /** Rows of a batch. @default {8} */
  readonly batchSize?: number
  /** Batches of an optimizer step. @default {1} */
  readonly accumulation?: number
  /** Longer rows are cut, in tokens. @default the base's context, at most 1024 */
  readonly maxLength?: number
  /** @default {"completion"} */
  readonly lossOn?: LossOn
  /** @default {true} */
  readonly chatTemplate?: boolean
  /** Decides split, order and initialisation. @default {0} */
  readonly seed?: number
  readonly train: TrainConfig
}

/** A run that is ready to start: its data is read and its graph is built. */
export interface TrainingRun {
  readonly step: GraphStep
  readonly dataset: LoadedDataset
  readonly heldoutName: string | null
  readonly reports: { readonly data: DatasetReport; readonly heldout: DatasetReport | null }
  /** Held-out rows as questions. */
  readonly questions: readonly Question[]
  /** Settings, defaults included. */
  readonly settings: Required<Omit<TrainingSettings, "train">> & { readonly train: TrainConfig }
  readonly checkpointPath: string
  /** Optimizer steps that the checkpoint holds; 0 for a new run. */
  readonly resumedAt: number
  /** What the run takes in memory, as `espalier plan` reckons it; null for a backend that it does not know. */
  plan(steps: number): TrainingPlan | null
  start(hooks: { onEvent?(event: TrainEvent): void; readonly signal?: AbortSignal }): Promise<TrainResult>
  dispose(): Promise<void>
}

const LONGEST_ROW = 1024

/**
 * Reads the data and builds the step.
 * @throws {EspalierError} `invalid_file` for unusable data, `conflict` for a checkpoint of another run, `unsupported` for
 *   a method that trains weights which the base holds in fewer bits.
 */
export async function openTrainingRun(options: TrainingRunOptions): Promise<TrainingRun> {
  const { base, tokenizer, runtime, method, env, runFolder, resume } = options
  if (base.quantization && method.peftType === null) {
    throw new EspalierError(
      "unsupported",
      `Method ${method.name} trains the base's own weights, which can't be held as ${base.quantization}`,
      { param: "quantize", hint: "Leave out --quantize, or train an adapter: --method lora" },
    )
  }
  const room = base.config.contextLength - method.virtualTokens
  const settings = {
    batchSize: 8,
    accumulation: 1,
    maxLength: Math.min(room, LONGEST_ROW),
    lossOn: "completion" as const,
    chatTemplate: true,
    seed: 0,
    ...options.settings,
  }
  if (settings.maxLength > room) {
    throw new EspalierError(
      "invalid_request",
      `Expected a longest row of at most ${room} tokens but found ${settings.maxLength}: the base holds ${base.config.contextLength} positions`,
      { param: "max_length" },
    )
  }
  withDefaults(settings.train)
  const readOptions = { maxLength: settings.maxLength, lossOn: settings.lossOn, chatTemplate: settings.chatTemplate }
  const dataset = await loadDataset(options.data.name, options.data.bytes, tokenizer, readOptions)
  const apart =
    options.heldout && (await loadDataset(options.heldout.name, options.heldout.bytes, tokenizer, readOptions))
  const part = options.heldoutPart ?? 0.1
  const split = apart
    ? { train: [...dataset.examples], heldout: [...apart.examples] }
    : splitHeldout(dataset.examples, { seed: settings.seed, heldout: part })
  const questions = questionsOf(split.heldout, apart ?? dataset)

  const { batchSize, accumulation } = settings
  const longest = Math.max(...[...split.train, ...split.heldout].map(({ ids }) => ids.length))
  const maxLength = Math.ceil(longest / BUCKET) * BUCKET
  const maxLabelled = Math.max(mostLabelled(split.train, batchSize), mostLabelled(split.heldout, batchSize))
  const step = await graphStep({ runtime, base, method, env, maxLength, maxLabelled })
  const checkpoint = checkpointFile(runFolder, {
    base: base.quantization ? `${base.hash} as ${base.quantization}` : base.hash,
    data: dataset.sha256,
    ...(apart && { heldout: apart.sha256 }),
    config: { method: method.name, settings: method.config, ...settings, heldoutPart: apart ? null : part },
    runtime: runtime.detail,
    threads: runtime.threads,
  })
  const snapshot = resume ? await checkpoint.load() : null
  return {
    step,
    dataset,
    heldoutName: apart?.name ?? null,
    reports: { data: dataset.report, heldout: apart?.report ?? null },
    questions,
    settings,
    checkpointPath: checkpoint.path,
    resumedAt: snapshot?.progress.step ?? 0,
    plan(steps) {
      if (runtime.name === "webgpu") return null
      return planTraining({
        ...{ base, method, env, length: maxLength, labelled: maxLabelled, backend: runtime.name },
        rows: Math.min(batchSize, Math.max(split.train.length, split.heldout.length)),
        evaluates: split.heldout.length > 0,
        checkpoints: steps > (settings.train.checkpointEvery ?? Infinity),
      })
    },
    async start({ onEvent, signal }) {
      const metrics = await openMetrics(`${runFolder}/metrics.jsonl`, snapshot ? snapshot.progress.step : null)
      try {
        const result = await train(
          step,
          {
            source: exampleSource(split.train, { batchSize, accumulation, seed: settings.seed }),
            heldout: collateSorted(split.heldout, batchSize),
          },
          settings.train,
          {
            onEvent(event) {
              metrics.onEvent(event)
              onEvent?.(event)
            },
            saveCheckpoint: (state) => checkpoint.save(state),
            ...(signal && { signal }),
          },
          snapshot ?? undefined,
        )
        return result
      } finally {
        metrics.close()
      }
    },
    dispose: () => step.dispose(),
  }
}

function questionsOf(examples: readonly Example[], { rows }: LoadedDataset): Question[] {
  return examples.flatMap(({ line }) => {
    const row = rows.get(line)
    const question = row ? questionOf(row) : null
    return question ? [question] : []
  })
}
