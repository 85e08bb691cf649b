/**
 * @module Greedy decoding with the wanted answer as a draft: tokens that the model would have written anyway are checked
 * in one run, so that a right answer costs two runs, however long it is. What is written is what decoding token by token
 * writes, as far as an engine computes a position alone and among others alike.
 *
 * Source: the drafts of speculative decoding, Leviathan et al. 2023, https://arxiv.org/abs/2211.17192; under greedy
 * decoding a drafted token stands if it is the likeliest one.
 */
import type { BoundAdapter, Decoder, Sequence } from "../serve/decoder.ts"
import { argmax } from "../serve/sampling.ts"

/** What continues a prompt, and how far. */
export interface GreedyOptions {
  readonly decoder: Decoder
  readonly adapter: BoundAdapter | null
  /** Tokens that end an answer; none of them is part of it. */
  readonly eosIds: readonly number[]
  /** Tokens of an answer at most. */
  readonly limit: number
  /** Tokens that the answer may begin with: a guess, which changes the time only. @default none */
  readonly draft?: readonly number[]
}

/**
 * The likeliest token again and again, up to the end of the answer.
 * @param prompt at least one id; with virtual tokens and `limit` it must fit the context
 * @throws {RangeError} If it does not fit.
 */
export async function decodeGreedy(
  prompt: readonly number[],
  { decoder, adapter, eosIds, limit, draft = [] }: GreedyOptions,
): Promise<number[]> {
  const open = (): Promise<Sequence> =>
    decoder.open(adapter, (adapter?.virtualTokens ?? 0) + prompt.length + Math.max(1, limit))
  const end = draft.findIndex((id) => eosIds.includes(id))
  const drafted = draft.slice(0, Math.min(limit, end < 0 ? draft.length : end))
  const answer: number[] = []
  let sequence: Sequence | null = await open()
  try {
    let next = argmax(await sequence.append(prompt))
    /** Tokens that the sequence lacks. */
    let behind: number[] = []
    if (drafted.length > 1 && next === drafted[0]) {
      const { agreed, following } = agreeing(drafted, await sequence.append(drafted, true))
      answer.push(...drafted.slice(0, agreed))
      next = following
      if (agreed < drafted.length) {
        // The cache holds what the model did not write. A sequence can't go back, so another one takes its place.
        sequence.close()
        sequence = null
        behind = [...prompt, ...answer]
      }
    }
    while (answer.length < limit && !eosIds.includes(next)) {
      answer.push(next)
      behind.push(next)
      if (answer.length === limit) break
      sequence ??= await open()
      next = argmax(await sequence.append(behind))
      behind = []
    }
    return answer
  } finally {
    sequence?.close()
  }
}

/**
 * How many tokens of a draft, whose first one is right, the model would have written, and what it writes then.
 * @param logits f32 [drafted.length, vocabulary], those that follow each token
 */
function agreeing(drafted: readonly number[], logits: Float32Array): { agreed: number; following: number } {
  const vocabulary = logits.length / drafted.length
  for (let agreed = 1; ; agreed++) {
    const following = argmax(logits.subarray((agreed - 1) * vocabulary, agreed * vocabulary))
    if (following !== drafted[agreed]) return { agreed, following }
  }
}
