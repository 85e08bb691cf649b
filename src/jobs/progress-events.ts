/**
 * @module A run's progress in OpenAI's words.
 */
import type { NewEvent } from "./event-table.ts"
import type { RunnerEvent } from "./runner.ts"

type Of<K extends RunnerEvent["type"]> = Extract<RunnerEvent, { type: K }>

/** What was read, what was skipped. */
export const dataMessage = ({ message, level }: Of<"message">): NewEvent => ({
  message,
  level,
  // A resumed run reads the same files and says the same of them.
  once: `message ${message}`,
})

/** An update. */
export const stepEvent = ({ step, steps, loss, data }: Of<"step">): NewEvent => ({
  message: `Step ${step}/${steps}: training loss=${loss.toFixed(2)}`,
  type: "metrics",
  data: { step, total_steps: steps, train_loss: loss, ...data },
  once: `step-${step}`,
})

/** An evaluation. */
export const evaluationEvent = ({ step, loss, tokenAccuracy }: Of<"evaluation">): NewEvent => ({
  message: `Step ${step}: validation loss=${loss.toFixed(2)}, validation token accuracy=${tokenAccuracy.toFixed(2)}`,
  type: "metrics",
  data: { step, full_valid_loss: loss, full_valid_mean_token_accuracy: tokenAccuracy },
  once: `evaluation-${step}`,
})
