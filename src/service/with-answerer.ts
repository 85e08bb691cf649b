/**
 * @module A base, or what was trained over it, for as long as something is asked of it.
 */
import type { Answerer } from "../eval/answers.ts"
import type { Base } from "../models/base.ts"
import type { Runtime } from "../runtime/runtime.ts"
import { graphDecoder } from "../serve/graph-decoder.ts"
import { memorySource, packWeights } from "../store/weights-file.ts"
import type { Tokenizer } from "../text/tokenizer-contract.ts"
import { wholeBase } from "./base-folder.ts"
import { loadedAdapterOf, type Trained } from "./save-adapter.ts"

/** What answers. */
export interface AskedModel {
  readonly runtime: Runtime
  readonly base: Base
  readonly tokenizer: Tokenizer
  /** Tokens that end an answer. */
  readonly eosIds: readonly number[]
}

/**
 * Opens a decoder, lets `use` ask it and closes it again.
 * @param trained what was trained over the base; null asks the base itself
 */
export async function withAnswerer<T>(
  { runtime, base, tokenizer, eosIds }: AskedModel,
  trained: Trained | null,
  use: (answerer: Answerer) => Promise<T>,
): Promise<T> {
  const isOwnBase = trained !== null && trained.method.peftType === null
  // Each question comes once: prompts that were kept would only be in training's way, which may follow.
  const asked = isOwnBase ? await retrained(base, trained) : base
  const decoder = await graphDecoder({ runtime, base: asked, prefixCacheBytes: 0 })
  try {
    const adapter = trained && !isOwnBase ? await decoder.bind(await loadedAdapterOf(trained)) : null
    try {
      return await use({ decoder, tokenizer, eosIds, adapter })
    } finally {
      await adapter?.dispose()
    }
  } finally {
    await decoder.dispose()
  }
}

/** The base with its weights as full or selective fine-tuning left them. */
async function retrained(base: Base, trained: Trained): Promise<Base> {
  const packed = await packWeights(
    memorySource(await wholeBase(base, trained.tensors)),
    base.architecture.weights(base.config),
    {
      cacheFolder: null,
    },
  )
  return { ...base, layout: packed.layout, weights: packed.weights }
}
