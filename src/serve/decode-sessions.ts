/**
 * @module The sessions of a decoder: one for each variant of the graph, made when it is first asked for, and never for an
 * adapter.
 */
import { lower } from "../graph/lower/lower.ts"
import { encodeModel } from "../graph/onnx/write.ts"
import type { Base } from "../models/base.ts"
import { graphSession } from "../models/graph-session.ts"
import { holdsCodes } from "../models/quantization.ts"
import type { Runtime, Session } from "../runtime/runtime.ts"
import { type DecodeVariant, decodeGraph, presentNames, variantName } from "./decode-graph.ts"
import type { DecodeFeature } from "./decode-hooks.ts"
import { headGraph } from "./own-tables.ts"

/**
 * Weights that sessions may hold repacked for their kernels, together: each has a copy of its own then, where it would
 * else read the one mapped file. Codes are always repacked, as their kernels want it. SmolLM2-135M's shape in f32: 8 rows
 * take 39 ms of products in place of 68.
 */
const REPACKED_BYTES = 2 * 1024 ** 3

/**
 * Whether a runtime's decoding graphs take caches with an axis of 1 after the heads: see `DecodeTarget`. Those that stay in an
 * engine's own memory are as new keys and values are written into them.
 */
export const takesHeadsApart = ({ lowering, upload }: Pick<Runtime, "lowering" | "upload">): boolean =>
  lowering === "fused" && upload === undefined

/** What sessions are made of. */
export interface SessionSource {
  readonly runtime: Runtime
  readonly base: Base
  /** The most positions of a sequence. */
  readonly context: number
  /** Whether new keys and values stay where the runtime computes. */
  readonly keepsCaches: boolean
  /** Whether one session decodes for all, whatever their features: see `GraphDecoderOptions`. */
  readonly few: boolean
  /** Awaited before a session is made: see `GraphDecoderOptions`. */
  readonly makeRoom: (() => Promise<void>) | undefined
}

/** Sessions of one decoder. */
export class DecodeSessions {
  readonly #source: SessionSource
  readonly #sessions = new Map<string, Promise<Session>>()
  /** Features by which tokens can be decoded: those whose session is there already. */
  readonly #ready: ReadonlySet<DecodeFeature>[] = []
  /** Whether the one session that decodes for all takes embeddings of their own: once an adapter had some. */
  #takesOwn = false
  /** Bytes of weights that sessions hold repacked. */
  #repacked = 0
  #head: Promise<Session> | null = null

  constructor(source: SessionSource) {
    this.#source = source
  }

  /** Whether runs over token ids feed what is in the place of embeddings, or added to them, though they have nothing of the kind. */
  get takesOwn(): boolean {
    return this.#takesOwn
  }

  /** The session of a variant. */
  of(wanted: DecodeVariant): Promise<Session> {
    const { base, runtime, context, keepsCaches } = this.#source
    const variant = { ...wanted, caches: keepsCaches, ...(this.#takesOwn && { adds: "keeps" as const }) }
    const name = variantName(variant)
    const known = this.#sessions.get(name)
    if (known) return known
    // What runs once for an adapter (its virtual tokens), or once for a text (its states), does without repacked weights.
    const isDecoding = !variant.embeds && variant.states !== true
    const integerProducts = holdsCodes(base.quantization) && runtime.integerProducts === true && !variant.embeds
    // Weights of f16 become f32 in the run: there is nothing to repack.
    const fits = base.quantization !== "f16" && this.#repacked + base.weights.size <= REPACKED_BYTES
    const prepack = integerProducts || (isDecoding && fits)
    if (prepack) this.#repacked += base.weights.size
    const target = { roundInputs: integerProducts, headsApart: takesHeadsApart(runtime) }
    const graph = decodeGraph(base, variant, context, target)
    const keep = keepsCaches ? presentNames(base.config) : []
    const session = this.#whenThereIsRoom(() => graphSession(runtime, base, graph, { prepack, keep }))
    this.#sessions.set(name, session)
    // One that could not be made, for want of memory say, is tried anew when it is asked for again.
    session.catch(() => {
      if (this.#sessions.get(name) !== session) return
      this.#sessions.delete(name)
      if (prepack) this.#repacked -= base.weights.size
    })
    return session
  }

  async #whenThereIsRoom(make: () => Promise<Session>): Promise<Session> {
    await this.#source.makeRoom?.()
    return make()
  }

  /** The session that gives logits by an adapter's own output layer; made when an adapter first has one. */
  ofHead(): Promise<Session> {
    if (this.#head) return this.#head
    const { base, runtime } = this.#source
    const model = encodeModel(lower(headGraph(base), runtime.lowering))
    const session = runtime.createSession({ model, weights: null })
    this.#head = session
    session.catch(() => {
      if (this.#head === session) this.#head = null
    })
    return session
  }

  /**
   * Has the session made by which tokens of adapters with these features are decoded.
   * @param own whether there are embeddings of their own, of tokens or of virtual ones. @default {false}
   */
  async readyFor(wanted: ReadonlySet<DecodeFeature>, own = false): Promise<void> {
    const { few } = this.#source
    if (few && own && !this.#takesOwn) {
      this.#takesOwn = true
      await this.rest()
    }
    const features = few ? await this.#widened(wanted) : wanted
    await this.of({ embeds: false, features })
    if (!this.isReadyFor(features)) this.#ready.push(features)
  }

  /** Whether there is the session that {@link readyFor} would have made. */
  isReadyFor(features: ReadonlySet<DecodeFeature>, own = false): boolean {
    if (this.#source.few && own && !this.#takesOwn) return false
    if (this.#source.few) return this.#ready.some((each) => covers(each, features))
    return this.#ready.some((each) => each.size === features.size && covers(each, features))
  }

  /** These features and all that are ready. Where they are more than were ready, what served those is given back. */
  async #widened(wanted: ReadonlySet<DecodeFeature>): Promise<ReadonlySet<DecodeFeature>> {
    const [ready] = this.#ready
    if (ready === undefined || covers(ready, wanted)) return ready ?? wanted
    this.#ready.length = 0
    await this.rest()
    return new Set([...ready, ...wanted])
  }

  /** The least that is ready and serves all of these: a mix that nobody foresaw need not wait for a session of its own. */
  async serving(features: ReadonlySet<DecodeFeature>): Promise<ReadonlySet<DecodeFeature>> {
    const fit = this.#ready.filter((each) => covers(each, features)).sort((a, b) => a.size - b.size)
    if (fit.length === 0) await this.readyFor(features)
    return fit[0] ?? features
  }

  /** Gives all sessions back; each is made anew when it is asked for again. One that can't be given back keeps no other. */
  async rest(): Promise<void> {
    const asked = [...this.#sessions.values(), ...(this.#head ? [this.#head] : [])]
    this.#sessions.clear()
    this.#head = null
    this.#repacked = 0
    const made = (await Promise.allSettled(asked)).filter((each) => each.status === "fulfilled")
    const given = await Promise.allSettled(made.map(({ value }) => value.dispose()))
    for (const each of given) if (each.status === "rejected") throw each.reason
  }
}

const covers = <T>(all: ReadonlySet<T>, some: ReadonlySet<T>): boolean => [...some].every((each) => all.has(each))
