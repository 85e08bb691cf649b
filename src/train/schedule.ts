/**
 * @module Learning rates over a run, as transformers' schedules: a linear warm-up from 0, then constant, linear to 0,
 * half a cosine to 0, or constant with a linear end (warm-up, stable, decay: https://arxiv.org/abs/2404.06395), whose
 * length can still be chosen while the run goes on. Source: transformers/optimization.py, `get_*_schedule*`.
 */

/** The shape of the rate after the warm-up. */
export type ScheduleName = "constant" | "linear" | "cosine" | "wsd"

/** All shapes. */
export const scheduleNames = ["constant", "linear", "cosine", "wsd"] as const satisfies readonly ScheduleName[]

/** What a schedule is made of. */
export interface Schedule {
  readonly name: ScheduleName
  /** Updates of the whole run. */
  readonly steps: number
  /** Updates over which the rate rises from 0; the first one is then at 0, as in transformers. @default {0} */
  readonly warmupSteps?: number
  /** The part of the peak that every shape but constant ends at. @default {0} */
  readonly floor?: number
}

/** The part of the whole run over which `wsd` decays. */
export const WSD_DECAY = 0.2

/**
 * The factor on the peak learning rate, between 0 and 1.
 * @param step updates made before this one
 */
export function rateFactor(schedule: Schedule, step: number): number {
  const { name, steps, warmupSteps = 0, floor = 0 } = schedule
  if (step < warmupSteps) return step / Math.max(1, warmupSteps)
  const progress = Math.min(1, (step - warmupSteps) / Math.max(1, steps - warmupSteps))
  switch (name) {
    case "constant":
      return 1
    case "linear":
      return floor + (1 - floor) * (1 - progress)
    case "cosine":
      return floor + (1 - floor) * 0.5 * (1 + Math.cos(Math.PI * progress))
    case "wsd": {
      const decaySteps = Math.min(Math.ceil(WSD_DECAY * steps), Math.max(0, steps - warmupSteps))
      return floor + (1 - floor) * Math.max(0, Math.min(1, (steps - step) / Math.max(1, decaySteps)))
    }
    default:
      return name satisfies never
  }
}
