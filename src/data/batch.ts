/**
 * @module What the trainer eats: token ids with labels, laid side by side with little padding.
 */
import { type Rng, rng } from "../core/rng.ts"

/** The label of a position that takes no part in the loss (PyTorch's `ignore_index`). */
export const IGNORE = -100

/** Padded lengths are multiples of this, so that the engine sees few different sizes. */
export const BUCKET = 32

/** One tokenised row. `labels[i]` is `ids[i]` where position i counts in the loss and {@link IGNORE} elsewhere. */
export interface Example {
  readonly ids: Int32Array
  /** Not shifted: position i's label is the token AT i; the shift by one is the training graph's business. */
  readonly labels: Int32Array
  /** Line of the data file it came from (1-based). */
  readonly line: number
  /** Whether it is a row of what the base was taught before. @default {false} */
  readonly replayed?: boolean
}

/** Examples laid side by side, padded on the right. */
export interface Batch {
  readonly rows: number
  /** Padded length, a multiple of the bucket size. */
  readonly length: number
  readonly ids: Int32Array // [rows, length]; padding is 0
  readonly labels: Int32Array // [rows, length]; padding is IGNORE
  /** Tokens that are not padding. */
  readonly tokens: number
  /** Positions that count in the loss: labels other than IGNORE, the first position of a row aside. */
  readonly labelled: number
  /** 1 for each row that is replayed, by row; absent where none is. */
  readonly replayed?: Uint8Array
}

/** Options of {@link planBatches}. */
export interface PlanOptions {
  /** Rows of a batch. */
  readonly batchSize: number
  /** @default {32} */
  readonly bucket?: number
  readonly seed: number
  /** 0-based; each epoch has an order of its own. */
  readonly epoch: number
}

/** Batches of one window: the wider it is, the less padding and the less random the neighbours in a batch. */
const WINDOW_BATCHES = 50

/** Positions of one row that count in the loss: the first has no token before it that could predict it. */
export function countLabelled(labels: Int32Array): number {
  let count = 0
  for (let i = 1; i < labels.length; i++) if (labels[i] !== IGNORE) count++
  return count
}

/** Rows of an example, as planning sees them. */
type Row = Pick<Example, "ids">

/**
 * The batches of one epoch, as indices into all pools one after the other: each example once, in an order that (seed, epoch)
 * alone decides. Pools are shuffled and dealt out evenly, so that every batch has each pool's part of the rows, to within
 * a row. The row of them is cut into windows, each pool's examples are ordered by padded length within a window, and
 * windows are cut into batches, whose order is shuffled again.
 */
export function planBatches(pools: readonly (readonly Row[])[], options: PlanOptions): number[][] {
  const { batchSize, bucket = BUCKET, seed, epoch } = options
  const random = rng(seed, `shuffle:${epoch}`)
  const examples = pools.flat()
  const order = dealt(pools, random, rng(seed, `deal:${epoch}`))
  const size = (i: number) => Math.ceil(examples[i]!.ids.length / bucket)
  const batches: number[][] = []
  for (let from = 0; from < order.length; from += batchSize * WINDOW_BATCHES) {
    const window = order.slice(from, from + batchSize * WINDOW_BATCHES)
    const sorted = pools.map((_, pool) =>
      window.flatMap((each) => (each.pool === pool ? [each.index] : [])).sort((a, b) => size(a) - size(b)),
    )
    const next = pools.map(() => 0)
    const rows = window.map(({ pool }) => sorted[pool]![next[pool]!++]!)
    for (let at = 0; at < rows.length; at += batchSize) batches.push(rows.slice(at, at + batchSize))
  }
  return random.shuffle(batches)
}

/** Every example of every pool, shuffled, with a pool's examples at equal distances from one another. */
function dealt(pools: readonly (readonly Row[])[], random: Rng, offsets: Rng): { pool: number; index: number }[] {
  let from = 0
  const all = pools.flatMap((pool, p) => {
    const order = random.shuffle(Array.from(pool, (_, i) => from + i))
    from += pool.length
    const offset = offsets.next()
    return order.map((index, i) => ({ pool: p, index, at: (i + offset) / pool.length }))
  })
  return all.sort((a, b) => a.at - b.at || a.pool - b.pool)
}

/**
 * Lays examples side by side, padded on the right to a multiple of `bucket`.
 * @throws {RangeError} If there are no examples.
 */
export function collate(
  examples: readonly Pick<Example, "ids" | "labels" | "replayed">[],
  bucket: number = BUCKET,
): Batch {
  if (examples.length === 0) throw new RangeError("Expected at least one example to collate")
  const rows = examples.length
  const longest = examples.reduce((most, { ids }) => Math.max(most, ids.length), 1)
  const length = Math.ceil(longest / bucket) * bucket
  const ids = new Int32Array(rows * length)
  const labels = new Int32Array(rows * length).fill(IGNORE)
  let tokens = 0
  let labelled = 0
  for (const [row, example] of examples.entries()) {
    ids.set(example.ids, row * length)
    labels.set(example.labels, row * length)
    tokens += example.ids.length
    labelled += countLabelled(example.labels)
  }
  const replayed = examples.some((example) => example.replayed)
    ? Uint8Array.from(examples, (example) => (example.replayed ? 1 : 0))
    : null
  return { rows, length, ids, labels, tokens, labelled, ...(replayed && { replayed }) }
}

/** Batches in order of length, for evaluation: the least padding, and the same batches every time. */
export function collateSorted(examples: readonly Example[], batchSize: number, bucket: number = BUCKET): Batch[] {
  const sorted = examples.slice().sort((a, b) => a.ids.length - b.ids.length)
  const batches: Batch[] = []
  for (let at = 0; at < sorted.length; at += batchSize) batches.push(collate(sorted.slice(at, at + batchSize), bucket))
  return batches
}

/** The most labelled positions that any batch of `batchSize` of these examples can have: what memory is planned by. */
export function mostLabelled(examples: readonly Pick<Example, "labels">[], batchSize: number): number {
  const counts = examples.map(({ labels }) => countLabelled(labels)).sort((a, b) => b - a)
  return counts.slice(0, batchSize).reduce((sum, count) => sum + count, 0)
}

/** The part of all positions that is padding, between 0 and 1. */
export function paddingFraction(batches: Iterable<Pick<Batch, "rows" | "length" | "tokens">>): number {
  let positions = 0
  let tokens = 0
  for (const batch of batches) {
    positions += batch.rows * batch.length
    tokens += batch.tokens
  }
  return positions === 0 ? 0 : 1 - tokens / positions
}
