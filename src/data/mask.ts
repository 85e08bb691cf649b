/**
 * @module Which tokens of a row count in the loss.
 */
import { IGNORE } from "./batch.ts"

/** What the loss is computed on. `completion`: completions and assistant turns, with the token that ends them. */
export type LossOn = "completion" | "all"

/** A run of tokens: `start` is in it, `end` is not. */
export interface Span {
  readonly start: number
  readonly end: number
}

/** Labels that are the token inside the spans and {@link IGNORE} outside. */
export function labelsOf(ids: Int32Array, spans: readonly Span[]): Int32Array {
  const labels = new Int32Array(ids.length).fill(IGNORE)
  for (const { start, end } of spans) labels.set(ids.subarray(start, end), start)
  return labels
}
