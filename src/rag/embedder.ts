/**
 * @module What turns texts into vectors for a search by meaning.
 */

/** Turns texts into vectors of length 1. */
export interface Embedder {
  /** Vectors of different names are never compared. */
  readonly name: string
  /** Numbers of a vector. */
  readonly dimensions: number
  /** @returns f32 [dimensions] of length 1 for each text */
  embed(texts: readonly string[], signal?: AbortSignal): Promise<Float32Array[]>
  /** How much a passage is about a question, from 0 to 1, by the cosine of their vectors. */
  relevance(cosine: number): number
}

/** A vector scaled to length 1; zeros stay zeros. */
export function unit(vector: ArrayLike<number>): Float32Array {
  let square = 0
  for (let i = 0; i < vector.length; i++) square += vector[i]! ** 2
  const scale = square > 0 ? 1 / Math.sqrt(square) : 0
  return Float32Array.from(vector, (x) => x * scale)
}
