/**
 * @module Events as metric lines (JSONL), under the names that TRL logs: loss, learning_rate, grad_norm, num_tokens,
 * epoch, global_step; of an evaluation eval_loss, eval_mean_token_accuracy, eval_perplexity.
 * Of several tasks' held-out sets each has its own, as eval_<task>_loss; eval_<task>_exact is ours.
 */
import type { TrainEvent } from "./events.ts"

/** One line of a metrics file. */
export type Metric = Readonly<Record<string, number | string>>

/** The metric line of an event; null for an event that has none. */
export function metricOf(event: TrainEvent): Metric | null {
  switch (event.type) {
    case "step-end":
      return {
        global_step: event.step,
        epoch: rounded(event.epoch),
        loss: event.loss,
        learning_rate: event.learningRate,
        grad_norm: event.gradNorm,
        num_tokens: event.tokensSeen,
        tokens_per_second: rounded((1000 * event.tokens) / Math.max(event.durationMs, 1e-3)),
      }
    case "evaluation-end":
      return {
        global_step: event.step,
        epoch: rounded(event.epoch),
        eval_loss: event.loss,
        eval_mean_token_accuracy: event.tokenAccuracy,
        eval_perplexity: event.perplexity,
        eval_runtime: rounded(event.durationMs / 1000),
        ...Object.fromEntries(
          (event.tasks ?? []).flatMap(({ name, loss, tokenAccuracy }) => [
            [`eval_${name}_loss`, loss],
            [`eval_${name}_mean_token_accuracy`, tokenAccuracy],
          ]),
        ),
      }
    case "tasks-scored": {
      const scored = event.tasks.flatMap(({ name, exact }) =>
        exact === null ? [] : [[`eval_${name}_exact`, exact] as const],
      )
      return scored.length === 0 ? null : { global_step: event.step, ...Object.fromEntries(scored) }
    }
    default:
      return null
  }
}

/**
 * The part of a metrics file that a resumed run keeps: whole lines of updates up to `step`. Later ones will be made
 * again, and a line torn by a crash is dropped.
 */
export function metricsUpTo(text: string, step: number): string {
  const kept = text.split("\n").filter((line) => {
    try {
      return (JSON.parse(line) as { global_step?: number }).global_step! <= step
    } catch {
      return false
    }
  })
  return kept.map((line) => `${line}\n`).join("")
}

/** The losses of all updates in a metrics file, for a chart that spans interruptions. */
export function lossesIn(text: string): number[] {
  return metricsUpTo(text, Number.POSITIVE_INFINITY)
    .split("\n")
    .flatMap((line) => (line === "" ? [] : ((JSON.parse(line) as { loss?: number }).loss ?? [])))
}

const rounded = (x: number): number => Math.round(x * 1e4) / 1e4
