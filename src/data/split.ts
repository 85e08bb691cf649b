/**
 * @module The held-out split: which rows are never trained on.
 */
import { rng } from "../core/rng.ts"

/** Options of {@link splitHeldout}. */
export interface SplitOptions {
  /** Part of the rows to hold out, from 0 (none) to below 1. @default {0.1} */
  readonly heldout?: number
  readonly seed: number
}

/**
 * Splits rows at random, by seed alone; both parts keep the order of the file. With two rows or more and a part above 0
 * neither side is empty; a single row is never held out.
 * @throws {RangeError} If `heldout` is not from 0 to below 1.
 */
export function splitHeldout<T>(rows: readonly T[], options: SplitOptions): { train: T[]; heldout: T[] } {
  const { heldout: part = 0.1, seed } = options
  if (!(part >= 0 && part < 1))
    throw new RangeError(`Expected the held-out part to be from 0 to below 1 but found ${part}`)
  if (part === 0 || rows.length < 2) return { train: rows.slice(), heldout: [] }
  const count = Math.min(rows.length - 1, Math.max(1, Math.round(rows.length * part)))
  const order = rng(seed, "split").shuffle(Array.from(rows, (_, i) => i))
  const isHeldout = new Set(order.slice(0, count))
  return {
    train: rows.filter((_, i) => !isHeldout.has(i)),
    heldout: rows.filter((_, i) => isHeldout.has(i)),
  }
}
