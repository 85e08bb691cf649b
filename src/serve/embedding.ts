/**
 * @module A text as one vector: the mean of its tokens' last hidden states, of length 1. A base that was made to predict
 * the next word gives serviceable vectors this way, and no more than that.
 *
 * Source: mean pooling of a decoder's states as in Muennighoff 2022, https://arxiv.org/abs/2202.08904 (section 3), with
 * equal weights.
 */
import { EspalierError } from "../core/errors.ts"
import type { Exclusive } from "../core/exclusive.ts"
import type { BoundAdapter, Decoder } from "./decoder.ts"

/** Tokens computed at a time: between two such runs others have their turn. */
const CHUNK = 256

/**
 * The vector of a text.
 * @param ids at least one id
 * @param exclusive runs a call of the decoder while no other is under way
 * @returns f32 [hidden], of length 1
 * @throws {EspalierError} `invalid_request` if the context does not hold the text
 */
export async function embed(
  decoder: Decoder,
  exclusive: Exclusive["run"],
  ids: readonly number[],
  adapter: BoundAdapter | null,
): Promise<Float32Array> {
  const { hiddenSize, contextLength } = decoder.info
  const virtual = adapter?.virtualTokens ?? 0
  if (virtual + ids.length > contextLength)
    throw new EspalierError(
      "context_length_exceeded",
      `This model's context holds ${contextLength - virtual} tokens but an input has ${ids.length}`,
      { hint: "Shorten it, or cut it into several", param: "input" },
    )
  const sum = new Float64Array(hiddenSize)
  const sequence = await exclusive(() => decoder.open(adapter, virtual + ids.length))
  try {
    for (let from = 0; from < ids.length; from += CHUNK)
      await exclusive(async () => {
        const states = await sequence.states(ids.slice(from, from + CHUNK))
        for (let i = 0; i < states.length; i++) sum[i % hiddenSize]! += states[i]!
      })
  } finally {
    sequence.close()
  }
  const length = Math.sqrt(sum.reduce((total, x) => total + x * x, 0))
  return Float32Array.from(sum, (x) => (length > 0 ? x / length : 0))
}
