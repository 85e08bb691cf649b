/**
 * @module The decoder over runtime sessions. Binding an adapter prepares tensors to be fed; no session is ever made for
 * an adapter, only for a variant of the graph.
 */
import { f32, i32, i64, type Tensor } from "../core/tensor.ts"
import type { Form, LoadedAdapter } from "../forms/form.ts"
import { lower } from "../graph/lower/lower.ts"
import { encodeModel } from "../graph/onnx/write.ts"
import type { Base } from "../models/base.ts"
import type { Runtime, Session } from "../runtime/runtime.ts"
import { checkForms, virtualTokensOf } from "./check-forms.ts"
import { type DecodeVariant, decodeGraph, variantName } from "./decode-graph.ts"
import { decodeFeeds, featureOf } from "./decode-hooks.ts"
import type { BoundAdapter, Decoder, Sequence } from "./decoder.ts"

/** What a decoder is made of. */
export interface GraphDecoderOptions {
  readonly runtime: Runtime
  readonly base: Base
  /** The most positions of a sequence. @default the base's context length, at most 8192 */
  readonly contextLength?: number
}

/** A KV cache is made for a multiple of this many positions. */
const CAPACITY_BUCKET = 64
const LONGEST_CONTEXT = 8192
/** The graph of the base alone. */
const PLAIN: DecodeVariant = { embeds: false, features: new Set() }

/** What an adapter amounts to at serving time. */
interface Bound extends BoundAdapter {
  /** The graph that serves it. */
  readonly variant: DecodeVariant
  /** What that graph is fed beside tokens and cache. */
  readonly feeds: Readonly<Record<string, Tensor>>
  /** Keys and values of the virtual tokens [1, kvHeads, virtual tokens, D] by cache name, once computed. */
  readonly prefix: Readonly<Record<string, Float32Array>> | null
}

/** Opens a decoder; the plain session is made at once, the others when an adapter first needs them. */
export async function graphDecoder({ runtime, base, contextLength }: GraphDecoderOptions): Promise<Decoder> {
  const { config } = base
  const context = Math.min(contextLength ?? Math.min(config.contextLength, LONGEST_CONTEXT), config.contextLength)
  const sessions = new Map<string, Promise<Session>>()
  const sessionOf = (variant: DecodeVariant): Promise<Session> => {
    const name = variantName(variant)
    let session = sessions.get(name)
    if (!session) {
      // Kernels for 8-bit weights want them repacked, in a copy of the session's own. What runs once for an adapter
      // (its virtual tokens) does without.
      const int8Products = base.quantization === "int8" && runtime.int8Products === true && !variant.embeds
      const model = encodeModel(lower(decodeGraph(base, variant, context, int8Products), runtime.lowering))
      session = runtime.createSession({ model, weights: base.weights, prepack: int8Products })
      sessions.set(name, session)
    }
    return session
  }
  await sessionOf(PLAIN)

  const headSize = config.headDim
  const cacheNames = Array.from({ length: config.layers }, (_, layer) => [`k.${layer}`, `v.${layer}`]).flat()
  const newCache = (capacity: number): Record<string, Tensor<"f32">> => {
    const shape = [1, config.kvHeads, capacity, headSize]
    return Object.fromEntries(
      cacheNames.map((name) => [name, f32(shape, new Float32Array(config.kvHeads * capacity * headSize))]),
    )
  }

  /** One run over a cache: `count` new positions after `length`. */
  const run = async (
    variant: DecodeVariant,
    input: Record<string, Tensor>,
    cache: Record<string, Tensor<"f32">>,
    { length, count, all }: { length: number; count: number; all: boolean },
  ): Promise<Float32Array> => {
    const feeds: Record<string, Tensor> = {
      ...input,
      position_ids: i64(
        [1, count],
        Array.from({ length: count }, (_, i) => length + i),
      ),
      last: i32([1], [length + count - 1]),
      total: i32([1], [length + count]),
      take: all
        ? i64(
            [count],
            Array.from({ length: count }, (_, i) => i),
          )
        : i64([1], [count - 1]),
    }
    const into: Record<string, Tensor> = {}
    for (const name of cacheNames) {
      feeds[`past_${name}`] = cache[name]!
      into[`present_${name}`] = cache[name]!
    }
    const session = await sessionOf(variant)
    const { logits } = await session.run(feeds, into)
    return logits!.data as Float32Array
  }

  /** Keys and values of an adapter's virtual tokens: computed once, then copied into each sequence. */
  const virtualCache = async (
    forms: readonly Form[],
    features: DecodeVariant["features"],
    feeds: Record<string, Tensor>,
    count: number,
  ): Promise<Record<string, Float32Array>> => {
    const cache = newCache(count)
    // A prefix comes first, where an adapter has both.
    let length = 0
    for (const form of forms) {
      if (form.form !== "prefix") continue
      length = form.keys.shape[0]!
      writeHeads(form.keys, cache[`k.${form.layer}`]!)
      writeHeads(form.values, cache[`v.${form.layer}`]!)
    }
    for (const form of forms) {
      if (form.form !== "prompt") continue
      const [tokens, hidden] = form.embeddings.shape as [number, number]
      const input = { embeds: f32([1, tokens, hidden], form.embeddings.data), ...feeds }
      await run({ embeds: true, features }, input, cache, { length, count: tokens, all: false })
      length += tokens
    }
    return Object.fromEntries(cacheNames.map((name) => [name, cache[name]!.data]))
  }

  return {
    info: { vocabSize: config.vocabSize, contextLength: context },

    async bind({ forms, hash }: LoadedAdapter): Promise<Bound> {
      checkForms(base, forms, context)
      const features = new Set(forms.flatMap((form) => featureOf(form) ?? []))
      const variant = { embeds: false, features }
      const feeds = await decodeFeeds(base, features, forms)
      await sessionOf(variant)
      const virtualTokens = virtualTokensOf(forms)
      const prefix = virtualTokens > 0 ? await virtualCache(forms, features, feeds, virtualTokens) : null
      return { hash, virtualTokens, variant, feeds, prefix, dispose: async () => {} }
    },

    async open(adapter, capacity): Promise<Sequence> {
      const bound = adapter as Bound | null
      if (capacity > context)
        throw new RangeError(`Expected a capacity of at most ${context} positions but found ${capacity}`)
      const rounded = Math.min(context, Math.ceil(capacity / CAPACITY_BUCKET) * CAPACITY_BUCKET)
      let cache: Record<string, Tensor<"f32">> | null = newCache(rounded)
      let length = bound?.virtualTokens ?? 0
      if (bound?.prefix)
        for (const name of cacheNames) copyHeads(bound.prefix[name]!, cache[name]!, length, config.kvHeads, headSize)
      return {
        get length() {
          return length
        },
        async append(tokens, all = false) {
          if (!cache) throw new TypeError("The sequence is closed")
          const count = tokens.length
          if (count < 1 || length + count > rounded) {
            throw new RangeError(`Expected 1 to ${rounded - length} tokens for this sequence but found ${count}`)
          }
          const input = { input_ids: i64([1, count], tokens), ...bound?.feeds }
          const logits = await run(bound?.variant ?? PLAIN, input, cache, { length, count, all })
          length += count
          return logits
        },
        close() {
          cache = null
        },
      }
    },

    async dispose() {
      for (const session of sessions.values()) await (await session).dispose()
      sessions.clear()
    },
  }
}

/** Copies the first positions of every head into a cache of another capacity. */
function copyHeads(from: Float32Array, to: Tensor<"f32">, count: number, heads: number, headSize: number): void {
  const capacity = to.shape[2]!
  for (let head = 0; head < heads; head++) {
    to.data.set(from.subarray(head * count * headSize, (head + 1) * count * headSize), head * capacity * headSize)
  }
}

/** Lays keys or values [tokens, heads, D] into the first positions of a cache [1, heads, capacity, D]. */
function writeHeads({ shape, data }: Tensor<"f32">, to: Tensor<"f32">): void {
  const [tokens, heads, headSize] = shape as [number, number, number]
  const capacity = to.shape[2]!
  for (let t = 0; t < tokens; t++)
    for (let head = 0; head < heads; head++) {
      const from = (t * heads + head) * headSize
      to.data.set(data.subarray(from, from + headSize), (head * capacity + t) * headSize)
    }
}
