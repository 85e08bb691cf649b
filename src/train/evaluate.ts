/**
 * @module The held-out loss, token accuracy and perplexity.
 */
import type { Batch } from "../data/batch.ts"
import type { Evaluation, TaskEvaluation } from "./events.ts"
import type { TrainStep } from "./step.ts"

/** A task's held-out batches. */
export interface HeldoutTask {
  readonly name: string
  readonly batches: readonly Batch[]
}

/**
 * Evaluates over batches. Means are over labelled tokens of all batches, not means of means.
 * @param made updates made so far, for the record
 * @param isStopped asked between batches
 * @param breathe awaited between batches
 * @returns null if it was stopped
 */
export async function evaluate(
  step: TrainStep,
  batches: readonly Batch[],
  made: number,
  isStopped: () => boolean = () => false,
  breathe: () => Promise<void> = async () => {},
): Promise<Evaluation | null> {
  let sum = 0
  let labelled = 0
  let correct = 0
  for (const batch of batches) {
    if (isStopped()) return null
    const sums = await step.evaluate(batch)
    sum += sums.loss
    labelled += sums.labelled
    correct += sums.correct
    await breathe()
  }
  const loss = sum / labelled
  return { step: made, loss, perplexity: Math.exp(loss), tokenAccuracy: correct / labelled, labelled }
}

/**
 * Evaluates the tasks that have held-out rows. The loss and token accuracy are means over them, each of which counts alike: a task of
 * long answers would otherwise decide alone which values are the best.
 * @returns null if it was stopped
 */
export async function evaluateTasks(
  step: TrainStep,
  tasks: readonly HeldoutTask[],
  made: number,
  isStopped: () => boolean = () => false,
  breathe: () => Promise<void> = async () => {},
): Promise<(Evaluation & { readonly tasks: readonly TaskEvaluation[] }) | null> {
  const found: TaskEvaluation[] = []
  for (const { name, batches } of tasks) {
    if (batches.length === 0) continue
    const one = await evaluate(step, batches, made, isStopped, breathe)
    if (one === null) return null
    found.push({ name, loss: one.loss, tokenAccuracy: one.tokenAccuracy, labelled: one.labelled })
  }
  const mean = (value: (task: TaskEvaluation) => number): number =>
    found.reduce((sum, task) => sum + value(task), 0) / found.length
  const loss = mean((task) => task.loss)
  return {
    step: made,
    loss,
    perplexity: Math.exp(loss),
    tokenAccuracy: mean((task) => task.tokenAccuracy),
    labelled: found.reduce((sum, { labelled }) => sum + labelled, 0),
    tasks: found,
  }
}
