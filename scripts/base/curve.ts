/**
 * @module The curve of a pre-training run: each of the first losses, then now and then one, and every evaluation.
 */
import type { TrainEvent } from "../../src/train/events.ts"

/** A point: the loss of one update's batch before the update, or of the held-out batches. Losses in nats a token. */
export type CurvePoint =
  | { readonly step: number; readonly loss: number }
  | { readonly step: number; readonly heldout: number; readonly tokenAccuracy: number }

/** Updates whose loss is always kept. */
const FIRST = 300

const rounded = (value: number): number => Number(value.toFixed(6))

/** The point of an event, if it gives one: about 500 later losses of the run are kept. */
export function curveEvery(steps: number): (event: TrainEvent) => CurvePoint | null {
  const every = Math.max(1, Math.ceil(steps / 500))
  return (event) => {
    if (event.type === "step-end" && (event.step <= FIRST || event.step % every === 0))
      return { step: event.step, loss: rounded(event.loss) }
    if (event.type === "evaluation-end")
      return { step: event.step, heldout: rounded(event.loss), tokenAccuracy: rounded(event.tokenAccuracy) }
    return null
  }
}

/** Points in order; of a step that a resumed run made again, the last. */
export function readCurve(text: string): CurvePoint[] {
  const points = new Map<string, CurvePoint>()
  for (const line of text.split("\n").filter((line) => line !== "")) {
    const point = JSON.parse(line) as CurvePoint
    points.set(`${point.step}:${"loss" in point}`, point)
  }
  return [...points.values()].sort((a, b) => a.step - b.step)
}

/** A curve, and behind it that of a run that went on from its end. */
export const joinedCurves = (before: readonly CurvePoint[], after: readonly CurvePoint[]): CurvePoint[] => [
  ...before,
  ...after.map((point) => ({ ...point, step: point.step + (before.at(-1)?.step ?? 0) })),
]
