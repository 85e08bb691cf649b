/**
 * @module One training run from data files to trained values: data sets, step, loop, checkpoints, metrics. A run has one
 * task or several, mixed in its batches or one after another. The command line and the job queue both start runs here.
 */
import { EspalierError } from "../core/errors.ts"
import { BUCKET, collateSorted, mostLabelled } from "../data/batch.ts"
import { type LoadedDataset, loadDataset } from "../data/dataset.ts"
import type { LossOn } from "../data/mask.ts"
import type { MethodEnv, PreparedMethod } from "../method.ts"
import type { Base } from "../models/base.ts"
import { planTraining, type TrainingPlan } from "../plan/training.ts"
import type { Runtime } from "../runtime/runtime.ts"
import type { Tokenizer } from "../text/tokenizer-contract.ts"
import { checkpointFile } from "../train/checkpoint-file.ts"
import { type TrainConfig, totalSteps, withDefaults } from "../train/config.ts"
import { trainInTurn } from "../train/curriculum.ts"
import { evaluateTasks } from "../train/evaluate.ts"
import type { TaskEvaluation, TaskScore, TrainEvent } from "../train/events.ts"
import { type Divergence, type GraphStep, graphStep } from "../train/graph-step.ts"
import { openMetrics } from "../train/metrics-file.ts"
import { type Mixture, mixtureShares, mixtureSource, rowsOfShares } from "../train/mixture.ts"
import type { CurriculumRow } from "../train/snapshot.ts"
import { type BatchSource, exampleSource } from "../train/source.ts"
import { type TrainHooks, type TrainResult, train } from "../train/trainer.ts"
import { checkTaskNames, type DataFile, loadTask, type Task, type TaskFiles } from "./task-data.ts"

/** How a run goes through its tasks. */
export type TaskOrder = "mixed" | "sequential"

/** What a run is made of. */
export interface TrainingRunOptions {
  readonly base: Base
  readonly tokenizer: Tokenizer
  readonly runtime: Runtime
  readonly method: PreparedMethod
  readonly env: MethodEnv
  /** At least one. */
  readonly tasks: readonly TaskFiles[]
  /** Rows of what the base was taught before, for `settings.replay`. */
  readonly replay?: DataFile | null
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
  /** Of several tasks: all in every batch, or one after another, each for the epochs of `train`. @default {"mixed"} */
  readonly order?: TaskOrder
  /** Of several tasks in mixed order. @default {proportional} */
  readonly mixture?: Mixture
  /** The part of an epoch's rows that are replayed ones, above 0 and below 1. @default none */
  readonly replay?: number
  /** Keep the trained distribution near the frozen base's. @default none */
  readonly kl?: Divergence
}

/** How a run went. */
export interface TrainingOutcome extends TrainResult {
  /** Of several tasks, their held-out figures before any training and with the values that were kept. */
  readonly tasks: { readonly before: readonly TaskEvaluation[]; readonly after: readonly TaskEvaluation[] } | null
  /** Of tasks in sequential order, all tasks' figures after each of them. */
  readonly rows: readonly CurriculumRow[] | null
}

/** Hooks of a run. */
export interface RunHooks {
  onEvent?(event: TrainEvent): void
  readonly signal?: AbortSignal
  /** Called with the values that the step holds before a checkpoint of them is written, which waits for it. */
  onCheckpoint?(step: number): Promise<void>
  /** Held-out answers before training, for the metrics. */
  readonly before?: readonly TaskScore[]
  /** Scores held-out answers with the values that the step now holds; called after each of the tasks of a curriculum. */
  score?(): Promise<readonly TaskScore[]>
}

/** A run that is ready to start: its data is read and its graph is built. */
export interface TrainingRun {
  readonly step: GraphStep
  readonly tasks: readonly Task[]
  /** The part of the rows that each task gets; null where tasks come one after another. */
  readonly shares: readonly number[] | null
  /** Settings, defaults included. */
  readonly settings: Omit<Required<TrainingSettings>, Sometimes> & Pick<TrainingSettings, Sometimes>
  /** Rows that are replayed; null for none. */
  readonly replay: LoadedDataset | null
  readonly checkpointPath: string
  /** Whether a checkpoint was found to go on from. */
  readonly isResumed: boolean
  /** What the run takes in memory, as `espalier plan` reckons it; null where it does not know. */
  plan(steps: number): TrainingPlan | null
  start(hooks: RunHooks): Promise<TrainingOutcome>
  /** Adds an event to the metrics of a run that is over. */
  record(event: TrainEvent): Promise<void>
  dispose(): Promise<void>
}

/** Settings that not every run has. */
type Sometimes = "order" | "mixture" | "replay" | "kl"

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
  const { order = "mixed", mixture = { name: "proportional", temperature: 1 }, ...given } = options.settings
  const settings = {
    batchSize: 8,
    accumulation: 1,
    maxLength: Math.min(room, LONGEST_ROW),
    lossOn: "completion" as const,
    chatTemplate: true,
    seed: 0,
    ...given,
    // A single task has neither, as it had none before there were several.
    ...(options.tasks.length > 1 && { order, mixture }),
  }
  if (settings.maxLength > room) {
    throw new EspalierError(
      "invalid_request",
      `Expected a longest row of at most ${room} tokens but found ${settings.maxLength}: the base holds ${base.config.contextLength} positions`,
      { param: "max_length" },
    )
  }
  const config = withDefaults(settings.train)
  const { batchSize, accumulation, seed, maxLength, lossOn, chatTemplate } = settings
  const part = options.heldoutPart ?? 0.1
  if (options.tasks.length > 1) checkTaskNames(options.tasks.map(({ name }) => name))
  const tasks: Task[] = []
  for (const files of options.tasks)
    tasks.push(await loadTask(files, tokenizer, { maxLength, lossOn, chatTemplate, seed, heldoutPart: part }))
  const replay = options.replay
    ? await loadDataset(options.replay.name, options.replay.bytes, tokenizer, { maxLength, lossOn, chatTemplate })
    : null
  if ((replay === null) !== (settings.replay === undefined))
    throw new TypeError("Expected rows to replay together with their share")
  const isMany = tasks.length > 1
  const isSequential = isMany && order === "sequential"
  const sizes = tasks.map((task) => task.train.length)
  const shares = isMany && !isSequential ? mixtureShares(sizes, mixture) : null

  const trained = [...tasks.flatMap((task) => task.train), ...(replay?.examples ?? [])]
  const sets = [trained, ...tasks.map((task) => task.heldout)]
  const lengths = [...new Set(sets.flat().map(({ ids }) => Math.ceil(ids.length / BUCKET) * BUCKET))]
  const length = Math.max(...lengths)
  const labelled = Math.max(...sets.map((examples) => mostLabelled(examples, batchSize)))
  const step = await graphStep({
    runtime,
    base,
    method,
    env,
    maxLength: length,
    maxLabelled: labelled,
    ...(settings.kl && { divergence: settings.kl }),
  })
  const allApart = tasks.every(({ apart }) => apart)
  const checkpoint = checkpointFile(runFolder, {
    base: base.quantization ? `${base.hash} as ${base.quantization}` : base.hash,
    data: hashesOf(tasks, ({ dataset }) => dataset.sha256),
    ...(tasks.some(({ apart }) => apart) && { heldout: hashesOf(tasks, ({ apart }) => apart?.sha256 ?? "none") }),
    config: {
      method: method.name,
      settings: method.config,
      ...settings,
      heldoutPart: allApart ? null : part,
      ...(replay && { replayed: replay.sha256 }),
    },
    runtime: runtime.detail,
    threads: runtime.threads,
  })
  const snapshot = resume ? await checkpoint.load() : null
  const replayed = (replay?.examples ?? []).map((example) => ({ ...example, replayed: true }))
  const sourceOptions = { batchSize, accumulation, seed }
  const sourceOf = (some: readonly Task[], parts: readonly number[]): BatchSource => {
    const [only] = some
    if (some.length === 1 && !replay) return exampleSource(only!.train, sourceOptions)
    const rows = some.reduce((sum, task) => sum + task.train.length, 0)
    const perEpoch = rowsOfShares(rows, parts)
    const pools = some.map((task, i) => ({ examples: task.train, perEpoch: perEpoch[i]! }))
    // The rows of the tasks stay as many as they are: what is replayed comes on top.
    const share = settings.replay ?? 0
    const extra = Math.max(1, Math.round((rows * share) / (1 - share)))
    return mixtureSource(replay ? [...pools, { examples: replayed, perEpoch: extra }] : pools, sourceOptions)
  }
  const heldout = tasks.map((task) => ({ name: task.name, batches: collateSorted(task.heldout, batchSize) }))
  const metricsPath = `${runFolder}/metrics.jsonl`
  return {
    step,
    tasks,
    shares,
    replay,
    settings,
    checkpointPath: checkpoint.path,
    isResumed: snapshot !== null,
    plan(steps) {
      if (runtime.name === "webgpu") return null
      return planTraining({
        ...{ base, method, env, length, lengths, labelled, backend: runtime.name },
        rows: Math.min(batchSize, Math.max(trained.length, ...tasks.map((task) => task.heldout.length))),
        evaluates: tasks.some((task) => task.heldout.length > 0),
        divergence: settings.kl != null,
        command: true,
        scoresBetween: isSequential,
        checkpoints: steps > (settings.train.checkpointEvery ?? Infinity),
      })
    },
    async start({ onEvent, signal, onCheckpoint, before, score }) {
      // Before the checkpoint's values are in place, so that a resumed run has the same figures.
      const first = isMany ? await evaluateTasks(step, heldout, 0) : null
      const resumedAt = snapshot && stepsBefore(snapshot.curriculum?.stage ?? 0) + snapshot.progress.step
      const metrics = await openMetrics(metricsPath, resumedAt)
      const tell = (event: TrainEvent): void => {
        metrics.onEvent(event)
        onEvent?.(event)
      }
      const hooks: TrainHooks = {
        onEvent: tell,
        async saveCheckpoint(state) {
          await onCheckpoint?.(state.progress.step)
          await checkpoint.save(state)
        },
        ...(signal && { signal }),
      }
      const from = snapshot ?? undefined
      try {
        if (before && !snapshot) tell({ type: "tasks-scored", step: 0, tasks: before })
        if (isSequential) {
          const result = await trainInTurn(
            step,
            stages(),
            config,
            { ...hooks, score: async () => (await score?.()) ?? tasks.map(({ name }) => unasked(name)) },
            from,
          )
          return { ...result, tasks: { before: first!.tasks, after: result.rows.at(-1)?.losses ?? [] } }
        }
        const result = await train(
          step,
          {
            source: sourceOf(tasks, shares ?? [1]),
            heldout: heldout.flatMap(({ batches }) => batches),
            ...(isMany && { heldoutTasks: heldout }),
          },
          config,
          hooks,
          from,
        )
        const last = isMany && result.status !== "interrupted" ? await evaluateTasks(step, heldout, result.kept) : null
        return { ...result, tasks: first && { before: first.tasks, after: last?.tasks ?? [] }, rows: null }
      } finally {
        metrics.close()
      }
    },
    async record(event) {
      const metrics = await openMetrics(metricsPath, Number.POSITIVE_INFINITY)
      metrics.onEvent(event)
      metrics.close()
    },
    dispose: () => step.dispose(),
  }

  function stages() {
    return tasks.map((task, i) => ({ ...heldout[i]!, source: sourceOf([task], [1]) }))
  }

  /** Planned updates of the tasks before one. */
  function stepsBefore(stage: number): number {
    return stages()
      .slice(0, stage)
      .reduce((sum, { source }) => sum + totalSteps(config, source.stepsPerEpoch), 0)
  }
}

/** Of one task its hash as it is, so that what one task's run left behind can still be gone on with. */
const hashesOf = (tasks: readonly Task[], hash: (task: Task) => string): string =>
  tasks.length === 1 ? hash(tasks[0]!) : tasks.map((task) => `${task.name} ${hash(task)}`).join(", ")

const unasked = (name: string): TaskScore => ({ name, questions: 0, exact: null })
