/**
 * @module What repeated measurements come down to.
 */

/** Figures of one series. */
export interface Summary {
  readonly median: number
  readonly least: number
  readonly most: number
  readonly count: number
}

/**
 * The median and the spread of a series; of an even count the mean of the middle two.
 * @throws {RangeError} If there is nothing to sum up.
 */
export function summarise(series: readonly number[]): Summary {
  if (series.length === 0) throw new RangeError("Expected at least one measurement")
  const sorted = [...series].sort((a, b) => a - b)
  const middle = sorted.length >> 1
  const median = sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2
  return { median, least: sorted[0]!, most: sorted.at(-1)!, count: sorted.length }
}

/**
 * Milliseconds of each run after warm-up.
 * @param run one measured unit of work, given its number
 * @param clock milliseconds that never run backwards
 */
export async function timeRuns(
  run: (index: number) => Promise<void>,
  { warmup, count }: { readonly warmup: number; readonly count: number },
  clock: () => number = () => performance.now(),
): Promise<number[]> {
  const times: number[] = []
  for (let i = 0; i < warmup + count; i++) {
    const start = clock()
    await run(i)
    if (i >= warmup) times.push(clock() - start)
  }
  return times
}
