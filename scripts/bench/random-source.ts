/**
 * @module A base of random weights for benchmarks, made tensor by tensor so that making it doesn't show in peak memory.
 */
import { sizeOf } from "../../src/core/tensor.ts"
import type { Base } from "../../src/models/base.ts"
import { llama } from "../../src/models/llama.ts"
import { heldWeights, type Quantization } from "../../src/models/quantization.ts"
import { qwen2 } from "../../src/models/qwen2.ts"
import { cacheFolder } from "../../src/store/cache.ts"
import { packWeights, type WeightSource } from "../../src/store/weights-file.ts"

/** Sizes of a base in Llama's layout, or in Qwen2's. */
export interface BaseShape {
  /** @default {"llama"} */
  readonly modelType?: "llama" | "qwen2"
  readonly hidden: number
  readonly layers: number
  readonly heads: number
  readonly kvHeads: number
  readonly intermediate: number
  readonly vocab: number
}

/** config.json of a shape. */
export const llamaConfig = (shape: BaseShape) => ({
  vocab_size: shape.vocab,
  hidden_size: shape.hidden,
  num_hidden_layers: shape.layers,
  num_attention_heads: shape.heads,
  num_key_value_heads: shape.kvHeads,
  intermediate_size: shape.intermediate,
  max_position_embeddings: 2048,
  tie_word_embeddings: true,
})

/** A base of a shape, its weights f32 or in fewer bits, kept in the cache folder between runs. */
export async function randomBase(shape: BaseShape, quantize: Quantization | null): Promise<Base> {
  const architecture = shape.modelType === "qwen2" ? qwen2 : llama
  const config = architecture.parseConfig(llamaConfig(shape))
  const groups = architecture.weights(config)
  const tensors = new Map(groups.flatMap(({ parts }) => parts).map(({ name, shape }) => [name, { shape }]))
  const hash = `random-2:${JSON.stringify(shape)}`
  const source: WeightSource = {
    tensors,
    hash: async () => hash,
    readF32: async (name) => uniform(name, tensors.get(name)!.shape),
  }
  const packed = await packWeights(source, groups, {
    cacheFolder: cacheFolder(process.env),
    ...(quantize && { held: heldWeights(architecture, config, quantize) }),
  })
  const base = { name: "random", architecture, config, ...packed, hash, read: source.readF32 }
  return quantize ? { ...base, quantization: quantize } : base
}

/**
 * Norms 1, everything else uniform with GPT-2's spread; a linear congruential generator is good enough to time. No two
 * tensors are the same: an engine would hold them once, and find them in the processor's caches.
 */
export function uniform(name: string, shape: readonly number[]): Float32Array {
  const data = new Float32Array(sizeOf(shape))
  if (shape.length === 1) return data.fill(1)
  let state = 1
  for (let i = 0; i < name.length; i++) state = (Math.imul(state, 31) + name.charCodeAt(i)) | 0
  for (let i = 0; i < data.length; i++) {
    state = (Math.imul(state, 1664525) + 1013904223) | 0
    data[i] = (state / 2 ** 31) * 0.035
  }
  return data
}
