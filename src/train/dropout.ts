/**
 * @module Masks of dropout: inputs of the training graph, made anew for each batch. A row's mask is a function of the
 * batch's seed, the layer and the row's number alone, so that it is the same on every backend, however a batch is cut into
 * pieces, and after a resume.
 */
import { rng } from "../core/rng.ts"
import type { Tensor } from "../core/tensor.ts"

/** Where a graph drops elements. */
export interface DropoutInput {
  /** The graph's input, bool [rows * positions, features]. */
  readonly name: string
  readonly features: number
  /** The part that is dropped, as {@link dropoutLevel} has it. */
  readonly level: number
}

/** Probabilities are counted in parts of this: 16 random bits decide about an element. */
const LEVELS = 2 ** 16

/**
 * A probability as a whole number of 65536ths, the nearest one; below 1 / 131072 it is 0.
 * @throws {RangeError} If it is none.
 */
export function dropoutLevel(p: number): number {
  if (!(p >= 0 && p <= 1)) throw new RangeError(`Expected a probability of dropout from 0 to 1 but found ${p}`)
  return Math.round(p * LEVELS)
}

/**
 * The factor on what is kept, so that the expectation stays: 1 / (1 - p) of the very p that masks are drawn with
 * ("inverted" dropout, as in PyTorch). 0 where nothing is kept.
 */
export const dropoutScale = (level: number): number => (level === LEVELS ? 0 : LEVELS / (LEVELS - level))

/** Makes masks in memory of its own: those of one call are overwritten by the next. */
export function dropoutMasks(
  inputs: readonly DropoutInput[],
): (seed: number, firstRow: number, rows: number, positions: number) => Record<string, Tensor> {
  const held = new Map<string, Uint8Array>()
  const room = (name: string, size: number): Uint8Array => {
    const known = held.get(name)
    if (known && known.length >= size) return known.subarray(0, size)
    const made = new Uint8Array(size)
    held.set(name, made)
    return made
  }
  return (seed, firstRow, rows, positions) =>
    Object.fromEntries(
      inputs.map(({ name, features, level }) => {
        const size = positions * features
        const data = room(name, rows * size)
        for (let row = 0; row < rows; row++)
          rng(seed, `${name}:${firstRow + row}`).mask(data.subarray(row * size, (row + 1) * size), level)
        return [name, { dtype: "bool", shape: [rows * positions, features], data } as Tensor]
      }),
    )
}
