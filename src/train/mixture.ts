/**
 * @module Several sets of rows as one run's batches: how often each is drawn from, and the order they come in.
 *
 * A task's share p of the rows is proportional to n^(1 / T), with n the task's rows and T a temperature: 1 leaves the
 * shares as the data has them, and the higher it is the more alike they become. Source: multilingual BERT's and T5's
 * temperature-scaled mixing, Raffel et al. 2019, section 3.5.2, https://arxiv.org/abs/1910.10683.
 *
 * An epoch has as many rows as the data. A set that gets more of them than it has begins anew, in another order; one that
 * gets fewer goes on where it stopped in the next epoch. Everything is a function of (seed, step), so that a run that is
 * resumed sees the rows that the uninterrupted one would have seen: the step in a checkpoint is the whole state.
 */
import { rng } from "../core/rng.ts"
import type { Example } from "../data/batch.ts"
import { atLeastOne, type BatchSource, drawnSource, type ExampleSourceOptions } from "./source.ts"

/** How tasks are mixed, as `--mixture` has it. */
export const mixtureNames = ["proportional", "equal", "temperature"] as const

/** How tasks are mixed. */
export type MixtureName = (typeof mixtureNames)[number]

/** A way of mixing. */
export interface Mixture {
  readonly name: MixtureName
  /** T, of `temperature` alone; above 0. */
  readonly temperature: number
}

/**
 * The part of the rows that each task gets; they sum to 1.
 * @param sizes rows of each task
 * @throws {RangeError} If the temperature is not above 0.
 */
export function mixtureShares(sizes: readonly number[], { name, temperature }: Mixture): number[] {
  if (!(temperature > 0)) throw new RangeError(`Expected mix-temperature to be above 0 but found ${temperature}`)
  const power = { proportional: 1, equal: 0, temperature: 1 / temperature }[name]
  const most = Math.max(...sizes)
  // Relative to the largest: powers of small temperatures would leave the range of numbers.
  const weights = sizes.map((size) => (size / most) ** power)
  const sum = weights.reduce((total, weight) => total + weight, 0)
  return weights.map((weight) => weight / sum)
}

/** Whole rows by shares that sum to 1: by largest remainder, and at least one row each. */
export function rowsOfShares(rows: number, shares: readonly number[]): number[] {
  const counts = shares.map((share) => Math.floor(rows * share))
  const left = rows - counts.reduce((sum, count) => sum + count, 0)
  const byRemainder = shares
    .map((share, i) => ({ i, rest: rows * share - counts[i]! }))
    .sort((a, b) => b.rest - a.rest || a.i - b.i)
  for (const { i } of byRemainder.slice(0, left)) counts[i]!++
  return counts.map((count) => Math.max(1, count))
}

/** Rows to draw from, and how many of them an epoch takes. */
export interface Pool {
  readonly examples: readonly Example[]
  readonly perEpoch: number
}

/**
 * Batches over pools: every batch has each pool's part of the rows, to within a row.
 * @throws {RangeError} If a pool is empty, or a size is below 1.
 */
export function mixtureSource(pools: readonly Pool[], options: ExampleSourceOptions): BatchSource {
  atLeastOne({ pools: pools.length })
  for (const [i, { examples, perEpoch }] of pools.entries())
    atLeastOne({ [`rows of pool ${i}`]: examples.length, [`rows an epoch of pool ${i}`]: perEpoch })
  const rows = pools.reduce((sum, { perEpoch }) => sum + perEpoch, 0)
  const draws = pools.map(({ examples, perEpoch }, i) => drawer(examples, perEpoch, options.seed, i))
  return drawnSource(rows, (epoch) => draws.map((draw) => draw(epoch)), options)
}

/** Rows of an epoch: a piece of an endless row of passes, each in an order of its own. */
function drawer(
  examples: readonly Example[],
  perEpoch: number,
  seed: number,
  pool: number,
): (epoch: number) => Example[] {
  const order = (pass: number): number[] => rng(seed, `pool:${pool}:${pass}`).shuffle(Array.from(examples, (_, i) => i))
  let known = { pass: -1, order: [] as number[] }
  return (epoch) =>
    Array.from({ length: perEpoch }, (_, i) => {
      const at = epoch * perEpoch + i
      const pass = Math.floor(at / examples.length)
      if (pass !== known.pass) known = { pass, order: order(pass) }
      return examples[known.order[at % examples.length]!]!
    })
}
