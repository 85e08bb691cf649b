/**
 * @module How well a text is predicted: the sum of its tokens' losses under a decoder, with an adapter or without.
 */
import type { BoundAdapter, Decoder } from "../serve/decoder.ts"
import { logprobsOf } from "../serve/sampling.ts"

/** A text's losses, to be summed over texts before a mean is taken. */
export interface TextLoss {
  /** Tokens that were predicted: all but the first, which follows nothing. */
  readonly tokens: number
  /** The sum of their losses, -ln p, in nats. */
  readonly loss: number
}

/** Positions whose logits are held at a time: for a vocabulary of 150,000 they take 38 MB. */
const CHUNK = 64

/**
 * The loss of a text's tokens, each given all before it. A text longer than the context is cut into windows that share
 * one token, so that each token but the first is predicted once.
 * @param ids token ids of the text
 */
export async function textLoss(
  ids: readonly number[],
  decoder: Decoder,
  adapter: BoundAdapter | null,
): Promise<TextLoss> {
  const virtual = adapter?.virtualTokens ?? 0
  const window = decoder.info.contextLength - virtual
  let loss = 0
  // The last token of a window is predicted and never fed.
  for (let start = 0; start < ids.length - 1; start += window) {
    const fed = ids.slice(start, Math.min(start + window, ids.length - 1))
    const sequence = await decoder.open(adapter, virtual + fed.length)
    try {
      for (let at = 0; at < fed.length; at += CHUNK) {
        const chunk = fed.slice(at, at + CHUNK)
        const logits = await sequence.append(chunk, true)
        const vocabulary = logits.length / chunk.length
        for (let i = 0; i < chunk.length; i++) {
          const row = logits.subarray(i * vocabulary, (i + 1) * vocabulary)
          loss -= logprobsOf(row, ids[start + at + i + 1]!, 0).logprob
        }
      }
    } finally {
      sequence.close()
    }
  }
  return { tokens: Math.max(0, ids.length - 1), loss }
}
