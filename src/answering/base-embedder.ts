/**
 * @module An embedder out of the base itself: the mean of its last hidden states. Nothing to download; a language model's
 * states tell texts apart less well than a model that was made for it does.
 */
import { type Embedder, unit } from "../rag/embedder.ts"
import type { EngineApi } from "../serve/engine-api.ts"

/** Texts of one request. */
const TOGETHER = 32

/** The base of an engine as an embedder. */
export async function baseEmbedder(engine: Pick<EngineApi, "embed" | "info">): Promise<Embedder> {
  const run = async (texts: readonly string[], signal?: AbortSignal): Promise<Float32Array[]> => {
    const inputs = texts.map((text) => ({ text }))
    const { vectors } = await engine.embed({ inputs, adapter: null }, signal ? { signal } : {})
    return vectors.map(unit)
  }
  const [probe] = await run(["probe"])
  return {
    name: `base ${engine.info.baseHash}`,
    dimensions: probe!.length,
    async embed(texts, signal) {
      const vectors: Float32Array[] = []
      for (let i = 0; i < texts.length; i += TOGETHER)
        vectors.push(...(await run(texts.slice(i, i + TOGETHER), signal)))
      return vectors
    },
    // Any two texts of a language model are near each other: that says nothing.
    relevance: () => 0,
  }
}
