/**
 * @module What memory is for.
 */

/** Parts of a plan, in the order that tables show them. */
export const partNames = [
  "weights",
  "adapters",
  "trainables",
  "gradients",
  "optimizer",
  "activations",
  "evaluation",
  "scoring",
  "kv-cache",
  "inputs",
  "checkpoint",
  "engine",
] as const

/** Bytes for one purpose. */
export interface MemoryPart {
  readonly name: (typeof partNames)[number]
  readonly bytes: number
}

/** The sum of some bytes. */
export const sumOf = (bytes: readonly number[]): number => bytes.reduce((sum, each) => sum + each, 0)
