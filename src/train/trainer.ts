/**
 * @module The training loop: batches by step number, gradients summed over micro-batches, clipping, AdamW, evaluation
 * on held-out rows, the best values kept, early stop, checkpoints.
 *
 * It knows neither graphs nor files: what computes is a {@link TrainStep}, what saves is a hook. A run that was stopped
 * at any moment and resumed ends in the same bytes as one that was not, provided the step itself gives the same bytes
 * for the same input.
 */
import { EspalierError } from "../core/errors.ts"
import { rng } from "../core/rng.ts"
import type { Batch } from "../data/batch.ts"
import { clipGradients } from "./clip.ts"
import { type TrainConfig, totalSteps, warmupSteps, withDefaults } from "./config.ts"
import { evaluate, evaluateTasks, type HeldoutTask } from "./evaluate.ts"
import type { Evaluation, RunStatus, TrainEvent } from "./events.ts"
import { adamW } from "./optimizer.ts"
import { rateFactor, type Schedule } from "./schedule.ts"
import { noProgress, type Progress, type Snapshot } from "./snapshot.ts"
import type { BatchSource } from "./source.ts"
import type { TrainStep } from "./step.ts"

/** What a run learns from and is judged by. */
export interface TrainData {
  readonly source: BatchSource
  /** Held-out batches; none for no evaluation. */
  readonly heldout: readonly Batch[]
  /** The same batches by task, where each task is to have figures of its own. */
  readonly heldoutTasks?: readonly HeldoutTask[]
}

/** How a run reaches the outside. Every hook may be left out. */
export interface TrainHooks {
  onEvent?(event: TrainEvent): void
  /** Stops the run within a micro-batch; it then saves a checkpoint. */
  readonly signal?: AbortSignal
  /** Writes the state; the run waits for it and then goes on changing the arrays. */
  saveCheckpoint?(snapshot: Snapshot): Promise<void>
  /** Writes the values of a new best evaluation; the run waits for it. */
  saveBest?(values: Float32Array, evaluation: Evaluation): Promise<void>
  /**
   * Awaited after each micro-batch and each held-out batch, so that others have their turn.
   * @default lets the event loop turn once a tenth of a second
   */
  breathe?(step: TrainStep): Promise<void>
  /** Milliseconds that never run backwards. @default {performance.now} */
  clock?(): number
}

/** How a run went. The trained values are in the step's `values`. */
export interface TrainResult {
  readonly status: RunStatus
  /** Updates made, those before a resume included. */
  readonly step: number
  /** Updates of the whole run as planned. */
  readonly steps: number
  /** Losses of the updates of this call. */
  readonly losses: readonly number[]
  /** Evaluations of this call. */
  readonly evaluations: readonly Evaluation[]
  /** The best evaluation of the whole run; null if there was none. */
  readonly best: Evaluation | null
  /** Whose values `step.values` now holds: the update's number. */
  readonly kept: number
  readonly tokensSeen: number
  readonly durationMs: number
}

/**
 * Trains `step.values` in place.
 * @param resume the state of a run to go on with; its base, data and settings must be these (`checkpoint.ts` checks)
 * @returns how it went; on an abort with status `interrupted`, after `saveCheckpoint`
 * @throws {EspalierError} `invalid_request` if a loss or gradient is not finite: no update is made from it, and
 *   `saveCheckpoint` has been given the state before it.
 * @throws {RangeError} If a setting is outside its range or the snapshot is of other parameters.
 */
export async function train(
  step: TrainStep,
  data: TrainData,
  config: TrainConfig,
  hooks: TrainHooks = {},
  resume?: Snapshot,
): Promise<TrainResult> {
  const full = withDefaults(config)
  const { source, heldout, heldoutTasks } = data
  const { stepsPerEpoch } = source
  const { signal, saveCheckpoint, saveBest, clock = () => performance.now() } = hooks
  const emit = (event: TrainEvent): void => hooks.onEvent?.(event)
  const isStopped = (): boolean => signal?.aborted === true
  const breathe = hooks.breathe ? () => hooks.breathe!(step) : breather(clock)

  const steps = totalSteps(full, stepsPerEpoch)
  const schedule: Schedule = {
    name: full.schedule,
    steps,
    warmupSteps: warmupSteps(full.warmup, steps),
    floor: full.rateFloor,
  }
  const evaluateEvery = full.evaluateEvery ?? stepsPerEpoch ?? steps
  const epochAt = (updates: number): number => (stepsPerEpoch === null ? 0 : updates / stepsPerEpoch)

  const { values, parameters } = step
  const optimizer = adamW(parameters, full)
  const gradients = new Float32Array(values.length)
  let progress: Progress = noProgress
  let bestValues: Float32Array | null = null
  if (resume) {
    if (resume.values.length !== values.length) {
      throw new RangeError(`Expected a snapshot of ${values.length} values but found ${resume.values.length}`)
    }
    values.set(resume.values)
    optimizer.restore(resume.optimizer)
    progress = resume.progress
    bestValues = resume.bestValues?.slice() ?? null
  }
  const snapshot = (): Snapshot => ({ progress, values, optimizer: optimizer.state(), bestValues })
  const save = async (reason: "interval" | "interrupt"): Promise<void> => {
    if (!saveCheckpoint) return
    await saveCheckpoint(snapshot())
    emit({ type: "checkpoint-saved", step: progress.step, reason })
  }

  const began = clock()
  const losses: number[] = []
  const evaluations: Evaluation[] = []
  let savedAt = progress.step
  emit({
    type: "run-start",
    steps,
    stepsPerEpoch,
    trainable: parameters.reduce((sum, { size, state }) => sum + (state ? 0 : size), 0),
    resumedAt: progress.step,
  })
  if (full.patience !== null && heldout.length === 0) {
    emit({ type: "warning", message: "Without held-out rows the run can't stop early" })
  }

  let status: RunStatus = "completed"
  while (true) {
    if (isEvaluationDue()) {
      const evaluation = await evaluateHeldout()
      if (evaluation === null) {
        status = "interrupted"
        break
      }
      if (full.patience !== null && progress.withoutGain >= full.patience) {
        status = "stopped-early"
        break
      }
    }
    if (progress.step >= steps) break
    if (full.checkpointEvery !== null && progress.step - savedAt >= full.checkpointEvery) {
      await save("interval")
      savedAt = progress.step
    }
    if (isStopped() || !(await update())) {
      status = "interrupted"
      break
    }
  }

  if (status === "interrupted") await save("interrupt")
  const { best } = progress
  const isRestoring = status !== "interrupted" && full.keepBest && bestValues !== null
  if (isRestoring) values.set(bestValues!)
  const durationMs = clock() - began
  emit({ type: "run-end", status, step: progress.step, best, durationMs })
  return {
    status,
    step: progress.step,
    steps,
    losses,
    evaluations,
    best,
    kept: isRestoring ? best!.step : progress.step,
    tokensSeen: progress.tokensSeen,
    durationMs,
  }

  /** At the start if wanted, every so many updates, and at the end; never twice after the same update. */
  function isEvaluationDue(): boolean {
    const { step: made, evaluatedAt } = progress
    if (heldout.length === 0 || evaluatedAt === made) return false
    return made === 0 ? full.evaluateFirst : made % evaluateEvery === 0 || made >= steps
  }

  /** Evaluates and keeps the values if they are the best so far. Null if it was stopped halfway. */
  async function evaluateHeldout(): Promise<Evaluation | null> {
    const start = clock()
    const evaluation: Evaluation | null = heldoutTasks
      ? await evaluateTasks(step, heldoutTasks, progress.step, isStopped, breathe)
      : await evaluate(step, heldout, progress.step, isStopped, breathe)
    if (evaluation === null) return null
    const { best } = progress
    const isBest = best === null ? Number.isFinite(evaluation.loss) : evaluation.loss < best.loss - full.minGain
    progress = {
      ...progress,
      evaluatedAt: progress.step,
      best: isBest ? evaluation : best,
      withoutGain: isBest ? 0 : progress.withoutGain + 1,
    }
    if (isBest) {
      bestValues ??= new Float32Array(values.length)
      bestValues.set(values)
      await saveBest?.(bestValues, evaluation)
    }
    evaluations.push(evaluation)
    const durationMs = clock() - start
    emit({ type: "evaluation-end", ...evaluation, epoch: epochAt(progress.step), isBest, durationMs })
    return evaluation
  }

  /** One update. False if it was stopped halfway: nothing has changed then. */
  async function update(): Promise<boolean> {
    const start = clock()
    const made = progress.step
    const batches = await source.batches(made)
    const labelled = batches.reduce((sum, batch) => sum + batch.labelled, 0)
    gradients.fill(0)
    let loss = 0
    for (const [micro, batch] of batches.entries()) {
      if (micro > 0 && isStopped()) return false
      const seed = rng(full.seed, `dropout:${made}:${micro}`).below(2 ** 31)
      loss += await step.forwardBackward(batch, 1 / Math.max(1, labelled), gradients, seed)
      await breathe()
    }
    const gradNorm = clipGradients(gradients, full.maxGradNorm)
    if (!Number.isFinite(loss) || !Number.isFinite(gradNorm)) {
      await save("interrupt")
      throw diverged(made + 1, loss, gradNorm, full.learningRate)
    }
    const learningRate = full.learningRate * rateFactor(schedule, made)
    optimizer.update(values, gradients, learningRate)
    step.afterUpdate?.(made + 1, steps, gradients)
    const tokens = batches.reduce((sum, batch) => sum + batch.tokens, 0)
    const positions = batches.reduce((sum, batch) => sum + batch.rows * batch.length, 0)
    const tokensSeen = progress.tokensSeen + tokens
    progress = { ...progress, step: made + 1, tokensSeen }
    losses.push(loss)
    emit({
      type: "step-end",
      step: made + 1,
      steps,
      epoch: epochAt(made + 1),
      loss,
      learningRate,
      gradNorm,
      tokens,
      positions,
      tokensSeen,
      durationMs: clock() - start,
    })
    return true
  }
}

/** Milliseconds that the loop may hold the event loop. */
const HOLD_MS = 100

/**
 * Lets the event loop turn now and then: a backend that computes synchronously inside a promise would otherwise keep a
 * signal or a message that stops the run from ever arriving.
 */
function breather(clock: () => number): () => Promise<void> {
  let last = clock()
  return async () => {
    if (clock() - last < HOLD_MS) return
    await new Promise((resolve) => setTimeout(resolve, 0))
    last = clock()
  }
}

function diverged(step: number, loss: number, gradNorm: number, learningRate: number): EspalierError {
  const what = Number.isFinite(loss) ? `the gradient's norm is ${gradNorm}` : `the loss is ${loss}`
  return new EspalierError("invalid_request", `Training diverged at step ${step}: ${what}`, {
    hint: `Lower the learning rate (now ${learningRate}) or lengthen the warm-up; the values before this step are kept`,
    param: "learning_rate",
  })
}
