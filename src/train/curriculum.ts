/**
 * @module One task after another on the same trainables, as one run: each with an optimizer and a schedule of its own,
 * and after each all tasks are evaluated. What a task's best evaluation kept is what the next one begins with.
 *
 * Steps are counted over all tasks; where a task stops early the next one's numbers begin where it would have ended, so
 * that a number means the same in a run that is resumed.
 */
import { type TrainConfig, totalSteps, withDefaults } from "./config.ts"
import { evaluateTasks, type HeldoutTask } from "./evaluate.ts"
import type { Evaluation, TaskScore, TrainEvent } from "./events.ts"
import { type CurriculumRow, noProgress, type Snapshot } from "./snapshot.ts"
import type { BatchSource } from "./source.ts"
import type { TrainStep } from "./step.ts"
import { type TrainHooks, type TrainResult, train } from "./trainer.ts"

/** A task of a curriculum. */
export interface Stage extends HeldoutTask {
  readonly source: BatchSource
}

/** Hooks of a run, and what scores held-out answers between its tasks. */
export interface CurriculumHooks extends TrainHooks {
  /** Every task's score with the values that the step now holds. */
  score(): Promise<readonly TaskScore[]>
}

/** How a curriculum went: figures over all its tasks, `best` and `kept` of the last one. */
export interface CurriculumResult extends TrainResult {
  /** A row for each task that is done. */
  readonly rows: readonly CurriculumRow[]
}

/**
 * Trains task after task.
 * @param resume the state to go on with
 * @throws As {@link train}.
 */
export async function trainInTurn(
  step: TrainStep,
  stages: readonly Stage[],
  config: TrainConfig,
  hooks: CurriculumHooks,
  resume?: Snapshot,
): Promise<CurriculumResult> {
  const full = withDefaults(config)
  const plan = stages.map(({ source }) => totalSteps(full, source.stepsPerEpoch))
  const offsets = plan.map((_, i) => plan.slice(0, i).reduce((sum, steps) => sum + steps, 0))
  const steps = plan.reduce((sum, each) => sum + each, 0)
  const emit = (event: TrainEvent): void => hooks.onEvent?.(event)
  const rows: CurriculumRow[] = [...(resume?.curriculum?.rows ?? [])]
  const first = resume?.curriculum?.stage ?? 0
  const losses: number[] = []
  const evaluations: Evaluation[] = []
  let [tokensSeen, durationMs] = [0, 0]
  let snapshot = resume
  let last: TrainResult | null = null

  for (let stage = first; stage < stages.length; stage++) {
    const { name, source, batches } = stages[stage]!
    const offset = offsets[stage]!
    const isLast = stage === stages.length - 1
    const moved = <T extends { readonly step: number }>(figures: T): T => ({ ...figures, step: figures.step + offset })
    const onEvent = (event: TrainEvent): void => {
      switch (event.type) {
        case "run-start":
          if (stage === first)
            emit({ ...event, steps, stepsPerEpoch: null, resumedAt: resume ? offset + event.resumedAt : 0 })
          emit({ type: "stage-start", step: offset, stage, stages: stages.length, name })
          return
        case "step-end":
          emit({ ...moved(event), steps })
          return
        case "run-end":
          // A task's end is the run's only where nothing follows.
          if (isLast || event.status === "interrupted") emit({ ...moved(event), best: event.best && moved(event.best) })
          return
        case "evaluation-end":
        case "checkpoint-saved":
          emit(moved(event))
          return
        default:
          emit(event)
      }
    }
    const { saveCheckpoint, saveBest, signal, clock } = hooks
    const result = await train(
      step,
      { source, heldout: batches },
      full,
      {
        onEvent,
        ...(signal && { signal }),
        ...(clock && { clock: () => clock() }),
        ...(saveBest && { saveBest: (values, evaluation) => saveBest(values, evaluation) }),
        ...(saveCheckpoint && {
          saveCheckpoint: (state: Snapshot) => saveCheckpoint({ ...state, curriculum: { stage, rows } }),
        }),
      },
      snapshot,
    )
    snapshot = undefined
    losses.push(...result.losses)
    evaluations.push(...result.evaluations.map(moved))
    tokensSeen += result.tokensSeen
    durationMs += result.durationMs
    last = {
      ...result,
      step: offset + result.step,
      kept: offset + result.kept,
      best: result.best && moved(result.best),
    }
    if (result.status === "interrupted") break
    const all = await evaluateTasks(step, stages, offset + result.step)
    const scores = await hooks.score()
    rows.push({ losses: all!.tasks, scores })
    emit({ type: "tasks-scored", step: offset + result.step, tasks: scores })
    if (!isLast) await saveCheckpoint?.(atStageStart(step.values, stage + 1, rows))
  }
  return { ...last!, steps, losses, evaluations, tokensSeen, durationMs, rows }
}

/** The state between two tasks. */
const atStageStart = (values: Float32Array, stage: number, rows: readonly CurriculumRow[]): Snapshot => ({
  progress: noProgress,
  values,
  optimizer: { updates: 0, m: new Float32Array(values.length), v: new Float32Array(values.length) },
  bestValues: null,
  curriculum: { stage, rows },
})
