/**
 * @module Trains a fine-tuning job: the run of `espalier train`, from the store's files to an adapter in the store.
 */
import { readFile } from "node:fs/promises"
import { totalmem } from "node:os"
import { join } from "node:path"
import { EspalierError, isEspalierError, messageOf } from "../core/errors.ts"
import { describeDataset } from "../data/describe.ts"
import { compareRetention, type RetentionSet, retentionFacts, retentionSet } from "../eval/retention.ts"
import { type SuiteScores, scoreSuite } from "../eval/score-suite.ts"
import { readSuite } from "../eval/suite.ts"
import type { JobFile } from "../jobs/job-record.ts"
import { metricsCsv } from "../jobs/metrics-csv.ts"
import { checkpointName, folderOf } from "../jobs/model-name.ts"
import type { JobOutcome, JobWork, TrainHooks } from "../jobs/runner.ts"
import type { Quantization } from "../models/quantization.ts"
import type { BackendName, Runtime } from "../runtime/runtime.ts"
import { runFacts } from "../service/run-facts.ts"
import { saveTrained, type Trained } from "../service/save-adapter.ts"
import type { DataFile } from "../service/task-data.ts"
import { openTrainingRun, type TrainingRun, type TrainingRunOptions } from "../service/training-run.ts"
import { withAnswerer } from "../service/with-answerer.ts"
import { readContent } from "../store/content-store.ts"
import type { Evaluation, TrainEvent } from "../train/events.ts"
import { checkGradients } from "./check-gradients.ts"
import { methodEnv } from "./method-env.ts"
import { type OpenBase, openBase } from "./open-base.ts"
import { openRuntime } from "./open-runtime.ts"
import { methodOfJob, noSuite, settingsOfJob } from "./prepare-job.ts"

/** What jobs are trained with: plain values, as they cross to a Worker. */
export interface TrainerSettings {
  /** The base's folder. */
  readonly base: string
  readonly backend: BackendName | "auto"
  /** Of a job that begins; one that goes on keeps those that it began with. */
  readonly threads: number
  /** Hold the base's weights in fewer bits. @default as f32 */
  readonly quantize?: Quantization
  /** The store's folder. */
  readonly store: string
  /** Serve what the forgetting gate holds back, too. @default {false} */
  readonly force?: boolean
}

/** Where a job keeps its checkpoint and metrics. */
export const runFolderOf = (store: string, job: string): string => join(store, "runs", job)
/** Where models lie. */
export const adaptersFolderOf = (store: string): string => join(store, "adapters")

/** Items that the forgetting gate scores at most: scoring must not outlast training. */
const RETENTION_ITEMS = 96

/** Trains one job. See {@link JobRunner.run}. */
export async function runJob(work: JobWork, settings: TrainerSettings, hooks: TrainHooks): Promise<JobOutcome> {
  const { spec } = work
  const method = methodOfJob(spec)
  const { runtime } = await openRuntime(settings.backend, { threads: work.threads ?? settings.threads })
  try {
    await checkGradients(runtime)
    const open = await openBase(settings.base, settings.quantize ? { quantize: settings.quantize } : {})
    const { base, tokenizer } = open
    if (!tokenizer) throw new EspalierError("unsupported", `Base "${base.name}" has no tokenizer.json`)
    const env = methodEnv(base, tokenizer, spec.seed)
    const run = await openRun(
      {
        ...{ base, tokenizer, runtime, method, env },
        tasks: [
          {
            name: "job",
            data: await dataFile(settings.store, spec.trainingFile),
            heldout: spec.validationFile && (await dataFile(settings.store, spec.validationFile)),
          },
        ],
        heldoutPart: spec.heldoutPart,
        runFolder: runFolderOf(settings.store, work.id),
        settings: settingsOfJob(spec, method),
      },
      hooks,
    )
    const trained = (): Trained => ({ base, method, env, tensors: run.step.tensors() })
    return await trainAndSave(run, work, settings, hooks, { open, runtime, trained })
  } finally {
    await runtime.dispose()
  }
}

/** The run, from its checkpoint where that can be gone on with, else from the start. */
async function openRun(options: Omit<TrainingRunOptions, "resume">, { onEvent }: TrainHooks): Promise<TrainingRun> {
  try {
    return await openTrainingRun({ ...options, resume: true })
  } catch (error) {
    if (!isEspalierError(error, "conflict")) throw error
    const run = await openTrainingRun({ ...options, resume: false })
    onEvent({ type: "message", level: "warn", message: `The job starts anew: ${messageOf(error)}` })
    return run
  }
}

const dataFile = async (store: string, { name, sha256 }: JobFile): Promise<DataFile> => ({
  name,
  bytes: await readContent(join(store, "files"), sha256),
})

interface Parts {
  readonly open: OpenBase
  readonly runtime: Runtime
  trained(): Trained
}

async function trainAndSave(
  run: TrainingRun,
  { spec, model, id }: JobWork,
  { store, base: baseFolder, force = false }: TrainerSettings,
  { onEvent, onCheckpoint, signal }: TrainHooks,
  { open, runtime, trained }: Parts,
): Promise<JobOutcome> {
  const score = (scored: Trained | null, { items }: RetentionSet): Promise<SuiteScores> =>
    withAnswerer({ runtime, base: open.base, tokenizer: open.tokenizer!, eosIds: open.eosIds }, scored, (answerer) =>
      scoreSuite(items, { ...answerer, onProgress: () => checkStop(signal) }),
    )
  /** Updates made. */
  let made = 0
  try {
    for (const { reports } of run.tasks) {
      for (const message of describeDataset(reports.data)) onEvent({ type: "message", level: "info", message })
    }
    checkMemory(run)
    const retention = spec.maxForgetting === null ? null : await retentionOf(baseFolder)
    const before = retention && (await score(null, retention))
    const facts = (): Record<string, unknown> => runFacts(run, trained(), runtime, [])
    const publish = (name: string, gate: Record<string, unknown>): Promise<void> =>
      saveTrained(join(adaptersFolderOf(store), folderOf(name)), trained(), { ...facts(), ...gate }, baseFolder)
    const figures = figuresOf()
    const result = await run.start({
      signal,
      onEvent(event) {
        figures.hear(event)
        if (event.type === "run-start") made = event.resumedAt
        else if (event.type === "step-end") made = event.step
        tell(event, runtime, onEvent)
      },
      async onCheckpoint(step) {
        // Whoever stops a job wants to go on with it, not to try it.
        if (signal.aborted) return
        const name = checkpointName(model, step)
        // Nobody knows yet what the base has forgotten.
        await publish(name, spec.maxForgetting === null ? {} : { max_forgetting: spec.maxForgetting, promoted: force })
        await onCheckpoint({ step, model: name, metrics: figures.at(step) })
      },
    })
    if (result.status === "interrupted") return { status: "interrupted", step: result.step }
    const after = retention && (await score(trained(), retention))
    const kept = before && after && compareRetention(before, after)
    const forgotten = kept?.forgotten ?? null
    const isHeldBack = spec.maxForgetting !== null && forgotten !== null && forgotten > spec.maxForgetting
    const gate =
      kept && retention
        ? {
            retention: retentionFacts(kept, retention),
            max_forgetting: spec.maxForgetting,
            promoted: !isHeldBack,
          }
        : {}
    await publish(model, gate)
    return {
      status: "completed",
      step: result.step,
      trainedTokens: result.tokensSeen,
      heldBack:
        isHeldBack && !force
          ? `Held back from serving: the base forgot ${forgotten.toFixed(1)} points, more than the ${spec.maxForgetting} allowed`
          : null,
      metrics: metricsCsv(await readFile(join(runFolderOf(store, id), "metrics.jsonl"), "utf8")),
    }
  } catch (error) {
    // Nothing of scores is kept: they are taken anew when the job goes on.
    if (isEspalierError(error, "aborted") && signal.aborted) return { status: "interrupted", step: made }
    throw error
  } finally {
    await run.dispose()
  }
}

/** Ends what is slow when the run is to stop. @throws {EspalierError} `aborted` */
async function checkStop(signal: AbortSignal): Promise<void> {
  // The word comes as a message, which is heard between two turns of the event loop.
  await new Promise((resolve) => setTimeout(resolve, 0))
  if (signal.aborted) throw new EspalierError("aborted", "The run was stopped")
}

/** @throws {EspalierError} `too_large` for a run that needs more memory than there is, before it takes any. */
function checkMemory(run: TrainingRun): void {
  const needed = run.plan(Number.MAX_SAFE_INTEGER)?.total ?? 0
  const there = Math.min(totalmem(), process.constrainedMemory?.() || Number.POSITIVE_INFINITY)
  if (needed <= there) return
  const gigabytes = (bytes: number): string => `${(bytes / 2 ** 30).toFixed(1)} GiB`
  throw new EspalierError("too_large", `The job would take ${gigabytes(needed)}, and there are ${gigabytes(there)}`, {
    param: "hyperparameters.batch_size",
    hint: "Give a smaller batch_size, or cut rows with espalier.max_length",
  })
}

/** The base's own suite, for the forgetting gate. @throws {EspalierError} `unsupported` where it has none. */
async function retentionOf(baseFolder: string): Promise<RetentionSet> {
  const bytes = await readFile(join(baseFolder, "suite.jsonl")).catch(() => null)
  if (bytes === null) throw noSuite()
  return retentionSet(await readSuite("the base's suite", new Uint8Array(bytes)), { items: RETENTION_ITEMS })
}

/** The latest figures, for a checkpoint that shows them. */
function figuresOf() {
  let loss: number | null = null
  let evaluation: Evaluation | null = null
  return {
    hear(event: TrainEvent): void {
      if (event.type === "step-end") loss = event.loss
      else if (event.type === "evaluation-end") evaluation = event
    },
    at: (step: number): Record<string, number> => ({
      step,
      ...(loss !== null && { train_loss: loss }),
      ...(evaluation?.step === step && {
        full_valid_loss: evaluation.loss,
        full_valid_mean_token_accuracy: evaluation.tokenAccuracy,
      }),
    }),
  }
}

/** A run's event in the queue's terms. */
function tell(event: TrainEvent, { threads }: Runtime, onEvent: TrainHooks["onEvent"]): void {
  switch (event.type) {
    case "run-start":
      onEvent({ type: "started", threads, steps: event.steps, resumedAt: event.resumedAt })
      break
    case "step-end": {
      const { step, steps, loss, durationMs, learningRate, gradNorm, epoch, tokensSeen } = event
      const data = { learning_rate: learningRate, grad_norm: gradNorm, epoch, num_tokens: tokensSeen }
      onEvent({ type: "step", step, steps, loss, durationMs, data })
      break
    }
    case "evaluation-end":
      onEvent({ type: "evaluation", step: event.step, loss: event.loss, tokenAccuracy: event.tokenAccuracy })
      break
    case "warning":
      onEvent({ type: "message", level: "warn", message: event.message })
      break
    default:
      break
  }
}
