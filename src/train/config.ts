/**
 * @module Settings of a run. Plain JSON: the same settings and data give the same bytes.
 */
import type { AdamWOptions } from "./optimizer.ts"
import type { ScheduleName } from "./schedule.ts"

/** Settings of a run; batch sizes are the data source's (`source.ts`). */
export interface TrainConfig extends AdamWOptions {
  /** Passes over the data; with `maxSteps` too, whichever ends first. @default {3} */
  readonly epochs?: number
  /** Updates at most. Needed where a pass over the data has no end. @default {null} */
  readonly maxSteps?: number | null
  /** Peak learning rate. Each method names one that suits it. */
  readonly learningRate: number
  /** @default {"cosine"} */
  readonly schedule?: ScheduleName
  /** Updates of warm-up; a number below 1 is a part of the whole run. @default {0.03} */
  readonly warmup?: number
  /** The part of the peak rate that linear and cosine end at. @default {0} */
  readonly rateFloor?: number
  /** Gradients are clipped to this global norm; null clips nothing. @default {1} */
  readonly maxGradNorm?: number | null
  /** Updates between evaluations; null evaluates once an epoch. @default {null} */
  readonly evaluateEvery?: number | null
  /** Evaluate before the first update too, to have a before for the after. @default {true} */
  readonly evaluateFirst?: boolean
  /** Stop after so many evaluations without gain; null never stops early. @default {null} */
  readonly patience?: number | null
  /** A held-out loss must fall by more than this to count as gain. @default {0} */
  readonly minGain?: number
  /** End with the values of the best evaluation rather than the last ones. @default {true} */
  readonly keepBest?: boolean
  /** Updates between checkpoints; null saves only when interrupted. @default {50} */
  readonly checkpointEvery?: number | null
  /** Seed of dropout masks. @default {0} */
  readonly seed?: number
}

/** Settings with nothing left open. */
export type FullTrainConfig = Required<TrainConfig>

/**
 * Fills in the defaults.
 * @throws {RangeError} If a setting is outside its range, naming it.
 */
export function withDefaults(config: TrainConfig): FullTrainConfig {
  const full: FullTrainConfig = {
    epochs: 3,
    maxSteps: null,
    schedule: "cosine",
    warmup: 0.03,
    rateFloor: 0,
    betas: [0.9, 0.999],
    eps: 1e-8,
    weightDecay: 0.01,
    maxGradNorm: 1,
    evaluateEvery: null,
    evaluateFirst: true,
    patience: null,
    minGain: 0,
    keepBest: true,
    checkpointEvery: 50,
    seed: 0,
    ...config,
  }
  const { betas, ...rest } = full
  check("epochs", rest.epochs, (x) => x > 0, "above 0")
  check("learningRate", rest.learningRate, (x) => x >= 0, "at least 0")
  check("warmup", rest.warmup, (x) => x >= 0, "at least 0")
  check("rateFloor", rest.rateFloor, (x) => x >= 0 && x <= 1, "from 0 to 1")
  for (const beta of betas) check("betas", beta, (x) => x >= 0 && x < 1, "from 0 to below 1")
  check("eps", rest.eps, (x) => x > 0, "above 0")
  check("weightDecay", rest.weightDecay, (x) => x >= 0, "at least 0")
  check("maxGradNorm", rest.maxGradNorm, (x) => x > 0, "above 0")
  check("minGain", rest.minGain, (x) => x >= 0, "at least 0")
  for (const name of ["maxSteps", "evaluateEvery", "patience", "checkpointEvery"] as const) {
    check(name, rest[name], (x) => Number.isSafeInteger(x) && x >= 1, "a whole number of at least 1")
  }
  check("seed", rest.seed, Number.isSafeInteger, "a whole number")
  return full
}

function check(name: string, value: number | null, isRight: (x: number) => boolean, range: string): void {
  if (value === null || (Number.isFinite(value) && isRight(value))) return
  throw new RangeError(`Expected ${name} to be ${range} but found ${value}`)
}

/**
 * Updates of the whole run.
 * @param stepsPerEpoch null where a pass over the data has no end
 * @throws {RangeError} If nothing ends the run.
 */
export function totalSteps({ epochs, maxSteps }: FullTrainConfig, stepsPerEpoch: number | null): number {
  if (stepsPerEpoch === null) {
    if (maxSteps === null) throw new RangeError("Expected maxSteps, as a pass over this data has no end")
    return maxSteps
  }
  return Math.min(Math.ceil(epochs * stepsPerEpoch), maxSteps ?? Number.POSITIVE_INFINITY)
}

/** Updates of warm-up in a run of `steps`. */
export const warmupSteps = (warmup: number, steps: number): number =>
  warmup < 1 ? Math.ceil(warmup * steps) : Math.round(warmup)
