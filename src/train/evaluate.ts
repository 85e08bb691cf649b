/**
 * @module The held-out loss, token accuracy and perplexity.
 */
import type { Batch } from "../data/batch.ts"
import type { Evaluation } from "./events.ts"
import type { TrainStep } from "./step.ts"

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
