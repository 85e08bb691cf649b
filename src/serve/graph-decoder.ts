/**
 * @module The decoder over runtime sessions. Binding an adapter prepares tensors to be fed; no session is ever made for
 * an adapter, only for a variant of the graph.
 */
import { EspalierError } from "../core/errors.ts"
import { f32, i32, i64, type Tensor } from "../core/tensor.ts"
import type { Form, LoadedAdapter, LowrankForm } from "../forms/form.ts"
import { lower } from "../graph/lower/lower.ts"
import { encodeModel } from "../graph/onnx/write.ts"
import type { Base } from "../models/base.ts"
import type { Runtime, Session } from "../runtime/runtime.ts"
import { type DecodeVariant, decodeGraph, lowrankSites } from "./decode-graph.ts"
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

/** What an adapter amounts to at serving time. */
interface Bound extends BoundAdapter {
  /** Factors to feed, for every linear layer, or null for the plain graph. */
  readonly factors: Readonly<Record<string, Tensor>> | null
  /** Keys and values of the virtual tokens [1, kvHeads, virtual tokens, D] by cache name, once computed. */
  readonly prefix: Readonly<Record<string, Float32Array>> | null
}

/** Opens a decoder; the plain session is made at once, the others when an adapter first needs them. */
export async function graphDecoder({ runtime, base, contextLength }: GraphDecoderOptions): Promise<Decoder> {
  const { config } = base
  const context = Math.min(contextLength ?? Math.min(config.contextLength, LONGEST_CONTEXT), config.contextLength)
  const sessions = new Map<DecodeVariant, Promise<Session>>()
  const sessionOf = (variant: DecodeVariant): Promise<Session> => {
    let session = sessions.get(variant)
    if (!session) {
      // Kernels for 8-bit weights want them repacked, in a copy of the session's own. What runs once for an adapter
      // (its virtual tokens) does without.
      const int8Products = base.quantization === "int8" && runtime.int8Products === true && variant !== "embeds"
      const model = encodeModel(lower(decodeGraph(base, variant, context, int8Products), runtime.lowering))
      session = runtime.createSession({ model, weights: base.weights, prepack: int8Products })
      sessions.set(variant, session)
    }
    return session
  }
  await sessionOf("plain")

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

  /** Keys and values of virtual tokens: computed once for an adapter, then copied into each sequence. */
  const prefixOf = async (embeddings: Tensor<"f32">): Promise<Record<string, Float32Array>> => {
    const [count, hidden] = embeddings.shape as [number, number]
    const cache = newCache(count)
    await run("embeds", { embeds: f32([1, count, hidden], embeddings.data) }, cache, { length: 0, count, all: false })
    return Object.fromEntries(cacheNames.map((name) => [name, cache[name]!.data]))
  }

  return {
    info: { vocabSize: config.vocabSize, contextLength: context },

    async bind(adapter: LoadedAdapter): Promise<Bound> {
      const { lowrank, prompts } = sortForms(adapter.forms)
      checkShapes(base, lowrank, prompts, context)
      const factors = lowrank.length > 0 ? feedsOf(base, lowrank) : null
      if (factors) await sessionOf("lowrank")
      const prompt = prompts[0]?.embeddings
      const prefix = prompt ? await prefixOf(prompt) : null
      return { hash: adapter.hash, virtualTokens: prompt?.shape[0] ?? 0, factors, prefix, dispose: async () => {} }
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
          const input = { input_ids: i64([1, count], tokens), ...bound?.factors }
          const logits = await run(bound?.factors ? "lowrank" : "plain", input, cache, { length, count, all })
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

/** Forms by kind. @throws {EspalierError} `unsupported` for forms that this decoder can't serve. */
function sortForms(forms: readonly Form[]) {
  const lowrank: LowrankForm[] = []
  const prompts: Extract<Form, { form: "prompt" }>[] = []
  for (const form of forms) {
    if (form.form === "lowrank") lowrank.push(form)
    else if (form.form === "prompt") prompts.push(form)
    else if (form.form === "weights") {
      throw new EspalierError("unsupported", "A fully fine-tuned model is a base of its own, not an adapter", {
        hint: "Serve its folder with --base",
      })
    } else throw new EspalierError("unsupported", `Adapters with ${form.form} parts can't be served by this version`)
  }
  return { lowrank, prompts }
}

/** Every mismatch between an adapter and its base, in one error. */
function checkShapes(
  base: Base,
  lowrank: readonly LowrankForm[],
  prompts: readonly Extract<Form, { form: "prompt" }>[],
  context: number,
): void {
  const sites = new Map(lowrankSites(base).map((site) => [site.path, site]))
  const lines: string[] = []
  for (const { path, a, b } of lowrank) {
    const site = sites.get(path)
    if (!site) {
      lines.push(`${path}: the base has no such linear layer`)
      continue
    }
    const rank = a.shape[0]!
    if (a.shape.length !== 2 || a.shape[1] !== site.inFeatures)
      lines.push(`${path}: expected A to be [rank, ${site.inFeatures}] but found [${a.shape}]`)
    if (b.shape.length !== 2 || b.shape[0] !== site.outFeatures || b.shape[1] !== rank) {
      lines.push(`${path}: expected B to be [${site.outFeatures}, ${rank}] but found [${b.shape}]`)
    }
  }
  const { hiddenSize } = base.config
  for (const { embeddings } of prompts) {
    if (embeddings.shape.length !== 2 || embeddings.shape[1] !== hiddenSize) {
      lines.push(`prompt_embeddings: expected [virtual tokens, ${hiddenSize}] but found [${embeddings.shape}]`)
    } else if (embeddings.shape[0]! >= context) {
      lines.push(`prompt_embeddings: ${embeddings.shape[0]} virtual tokens leave no room in a context of ${context}`)
    }
  }
  if (lines.length === 0) return
  const shown = lines.slice(0, 12).concat(lines.length > 12 ? [`and ${lines.length - 12} more`] : [])
  throw new EspalierError(
    "adapter_mismatch",
    `The adapter doesn't fit base "${base.name}": ${lines.length} tensors differ\n  ${shown.join("\n  ")}`,
  )
}

/** Factors for every linear layer: the adapter's, B times its scale; zeros of rank 1 where it has none. */
function feedsOf(base: Base, lowrank: readonly LowrankForm[]): Record<string, Tensor> {
  const feeds: Record<string, Tensor> = {}
  for (const { path, inFeatures, outFeatures } of lowrankSites(base)) {
    const form = lowrank.find((each) => each.path === path)
    feeds[`a.${path}`] = form?.a ?? f32([1, inFeatures], new Float32Array(inFeatures))
    feeds[`b.${path}`] = form
      ? f32(
          form.b.shape,
          form.b.data.map((x) => x * form.scale),
        )
      : f32([outFeatures, 1], new Float32Array(outFeatures))
  }
  return feeds
}

/** Copies the first positions of every head into a cache of another capacity. */
function copyHeads(from: Float32Array, to: Tensor<"f32">, count: number, heads: number, headSize: number): void {
  const capacity = to.shape[2]!
  for (let head = 0; head < heads; head++) {
    to.data.set(from.subarray(head * count * headSize, (head + 1) * count * headSize), head * capacity * headSize)
  }
}
