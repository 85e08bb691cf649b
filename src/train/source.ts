/**
 * @module Where batches come from. The loop asks for the batches of an optimizer step by its number, so that a resumed
 * run sees what the uninterrupted one would have seen: the answer depends on the number and nothing else.
 */
import { rng } from "../core/rng.ts"
import { type Batch, BUCKET, collate, type Example, planBatches } from "../data/batch.ts"
import { packedBatch } from "../data/pack.ts"

/** Batches by optimizer step. */
export interface BatchSource {
  /** Optimizer steps of one pass over the data; null where there is no end. */
  readonly stepsPerEpoch: number | null
  /**
   * The micro-batches whose gradients one optimizer step sums.
   * @param step optimizer steps before this one, over all epochs
   */
  batches(step: number): Promise<readonly Batch[]>
}

/** How examples are put into batches. */
export interface ExampleSourceOptions {
  /** Rows of a batch. */
  readonly batchSize: number
  /** Batches of an optimizer step. The last step of an epoch may have fewer. @default {1} */
  readonly accumulation?: number
  /** Padded lengths are multiples of this. @default {32} */
  readonly bucket?: number
  readonly seed: number
}

/**
 * Batches over examples, shuffled anew each epoch.
 * @throws {RangeError} If there are no examples, or a size is below 1.
 */
export function exampleSource(examples: readonly Example[], options: ExampleSourceOptions): BatchSource {
  if (examples.length === 0) throw new RangeError("Expected at least one example to train on")
  return drawnSource(examples.length, () => [examples], options)
}

/**
 * Batches over rows that each epoch draws for itself, with each pool's part of them in every batch.
 * @param rows how many rows every epoch has
 * @param draw the rows of an epoch by pool, a function of its number alone
 * @throws {RangeError} If a size is below 1.
 */
export function drawnSource(
  rows: number,
  draw: (epoch: number) => readonly (readonly Example[])[],
  options: ExampleSourceOptions,
): BatchSource {
  const { batchSize, accumulation = 1, bucket = BUCKET, seed } = options
  atLeastOne({ batchSize, accumulation, bucket, rows })
  const stepsPerEpoch = Math.ceil(Math.ceil(rows / batchSize) / accumulation)
  let planned = -1
  let drawn: readonly Example[] = []
  let plan: number[][] = []
  return {
    stepsPerEpoch,
    async batches(step) {
      const epoch = Math.floor(step / stepsPerEpoch)
      if (epoch !== planned) {
        const pools = draw(epoch)
        drawn = pools.flat()
        plan = planBatches(pools, { batchSize, bucket, seed, epoch })
        planned = epoch
      }
      const from = (step % stepsPerEpoch) * accumulation
      return plan.slice(from, from + accumulation).map((indices) =>
        collate(
          indices.map((i) => drawn[i]!),
          bucket,
        ),
      )
    },
  }
}

/** How one long run of tokens is cut. */
export interface PackedSourceOptions {
  /** Rows of a batch. */
  readonly batchSize: number
  /** Tokens of a row. */
  readonly length: number
  /** @default {1} */
  readonly accumulation?: number
  readonly seed: number
}

/**
 * Batches for pre-training over documents that run on into one another: windows of equal length, in an order of its own
 * each epoch, with the cuts moved by a random offset so that no epoch cuts where another did.
 * @param tokens the whole corpus, each document with its end token
 * @throws {RangeError} If the corpus is too short for one optimizer step, or a size is below 1.
 */
export function packedSource(tokens: Uint16Array | Int32Array, options: PackedSourceOptions): BatchSource {
  const { batchSize, length, accumulation = 1, seed } = options
  atLeastOne({ batchSize, length, accumulation })
  const perStep = batchSize * accumulation
  // One window is given up for the offset.
  const windows = Math.floor(tokens.length / length) - 1
  const stepsPerEpoch = Math.floor(windows / perStep)
  if (stepsPerEpoch < 1) {
    throw new RangeError(`Expected at least ${(perStep + 1) * length} tokens for one step but found ${tokens.length}`)
  }
  let planned = -1
  let offset = 0
  let order: Int32Array = new Int32Array()
  return {
    stepsPerEpoch,
    async batches(step) {
      const epoch = Math.floor(step / stepsPerEpoch)
      if (epoch !== planned) {
        const random = rng(seed, `windows:${epoch}`)
        offset = random.below(length)
        order = random.shuffle(Int32Array.from({ length: windows }, (_, i) => i))
        planned = epoch
      }
      const from = (step % stepsPerEpoch) * perStep
      return Array.from({ length: accumulation }, (_, micro) => {
        const ids = new Int32Array(batchSize * length)
        for (let row = 0; row < batchSize; row++) {
          const start = offset + order[from + micro * batchSize + row]! * length
          ids.set(tokens.subarray(start, start + length), row * length)
        }
        return packedBatch(ids, batchSize, length)
      })
    },
  }
}

/**
 * Batches from a stream that starts over the same each time it is opened. A resumed run opens it and passes over what
 * was used: slow for a long stream, right for any.
 * @param open starts the stream
 * @param accumulation batches of an optimizer step
 */
export function streamSource(open: () => Iterable<Batch> | AsyncIterable<Batch>, accumulation = 1): BatchSource {
  atLeastOne({ accumulation })
  let stream: AsyncIterator<Batch> | Iterator<Batch> | null = null
  let next = 0
  let last: readonly Batch[] = []
  const start = () => {
    const opened = open()
    next = 0
    return Symbol.asyncIterator in opened ? opened[Symbol.asyncIterator]() : opened[Symbol.iterator]()
  }
  return {
    stepsPerEpoch: null,
    async batches(step) {
      if (stream === null || step < next - 1) stream = start()
      for (; next <= step; next++) {
        const batches: Batch[] = []
        while (batches.length < accumulation) {
          const { done, value } = await stream.next()
          if (done) throw new RangeError(`The stream ended before step ${step + 1}`)
          batches.push(value)
        }
        last = batches
      }
      return last
    },
  }
}

/** @throws {RangeError} Naming the size that is no whole number of at least 1. */
export function atLeastOne(sizes: Record<string, number>): void {
  for (const [name, size] of Object.entries(sizes)) {
    if (!Number.isSafeInteger(size) || size < 1)
      throw new RangeError(`Expected ${name} to be at least 1 but found ${size}`)
  }
}
