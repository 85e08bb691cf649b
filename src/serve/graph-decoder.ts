/**
 * @module The decoder over runtime sessions. Binding an adapter prepares tensors to be fed; no session is ever made for
 * an adapter, only for a variant of the graph.
 */
import { freeNow } from "../core/bytes.ts"
import { f32, i32, i64, type Tensor } from "../core/tensor.ts"
import type { Base } from "../models/base.ts"
import { checkHeld } from "../models/quantization.ts"
import type { DeviceTensor, Feed, Runtime } from "../runtime/runtime.ts"
import type { DecodeVariant } from "./decode-graph.ts"
import { type DecodeFeature, decodeFeeds } from "./decode-hooks.ts"
import { DecodeSessions, takesHeadsApart } from "./decode-sessions.ts"
import type { BoundAdapter, Decoder, Sequence, StepRow } from "./decoder.ts"
import { type CacheRows, DeviceMemory, type FeedOwner } from "./device-memory.ts"
import { KvPool } from "./kv-pool.ts"
import { isLaid, type LaidAdapter, layOut } from "./laid-adapter.ts"
import { addTokenRows } from "./own-tables.ts"
import { BLOCK, PrefixCache } from "./prefix-cache.ts"
import { RowBank, type RowFeeds } from "./row-bank.ts"

/** What a decoder is made of. */
export interface GraphDecoderOptions {
  readonly runtime: Runtime
  readonly base: Base
  /** The most positions of a sequence. @default the base's context length, at most 8192 */
  readonly contextLength?: number
  /** Bytes of keys and values of earlier prompts that are kept; 0 keeps none. @default {67108864} 64 MiB */
  readonly prefixCacheBytes?: number
  /**
   * Decode for the base and for adapters of every kind by one session, for an engine whose sessions hold weights of their own: it is made
   * anew when the first adapter of a new kind is bound, and whoever lacks a kind computes with what changes nothing.
   * @default {false} a session for each kind, so that nobody computes more than it needs
   */
  readonly fewSessions?: boolean
  /** Awaited before each session is made: whoever holds memory that it can do without gives it back. @default nobody does */
  readonly makeRoom?: () => Promise<void>
}

const PREFIX_CACHE_BYTES = 64 * 1024 * 1024
const LONGEST_CONTEXT = 8192
/** What an adapter amounts to at serving time. */
interface Bound extends BoundAdapter, Pick<LaidAdapter, "feeds" | "tokens" | "head"> {
  readonly features: ReadonlySet<DecodeFeature>
  /** What it feeds as a batch of one. */
  readonly alone: Readonly<Record<string, Tensor<"f32">>>
  /** Keys and values of the virtual tokens, as {@link KvPool.read} gives them, once computed. */
  readonly virtual: Float32Array | null
}

/** A sequence and where its cache lies. */
interface Slotted extends Sequence {
  readonly bound: Bound | null
  readonly capacity: number
  slot: number
  /** Takes note of tokens whose keys and values lie in its cache now. */
  appended(tokens: readonly number[]): void
}

/**
 * Opens a decoder; the plain session is made at once, the others when an adapter first needs them.
 * @throws {EspalierError} `unavailable` if the runtime can't compute with what the base's weights are held as.
 */
export async function graphDecoder(options: GraphDecoderOptions): Promise<Decoder> {
  const { runtime, base, contextLength } = options
  await checkHeld(runtime, base.quantization)
  const { config } = base
  const context = Math.min(contextLength ?? Math.min(config.contextLength, LONGEST_CONTEXT), config.contextLength)
  const device = runtime.upload ? new DeviceMemory((tensor) => runtime.upload!(tensor), config.layers) : null
  const headsApart = takesHeadsApart(runtime)
  const keepsCaches = device !== null
  const few = options.fewSessions === true
  const sessions = new DecodeSessions({ runtime, base, context, keepsCaches, few, makeRoom: options.makeRoom })
  await sessions.readyFor(new Set())

  /** What a sequence feeds that has no adapter of a feature. */
  const neutral = new Map<DecodeFeature, Promise<RowFeeds>>()
  const neutralFeeds = (feature: DecodeFeature): Promise<RowFeeds> => {
    const known = neutral.get(feature) ?? decodeFeeds(base, feature, [])
    neutral.set(feature, known)
    return known
  }
  /** What a sequence feeds by itself: its own, and of features that it lacks what changes nothing. */
  const feedsAlone = async (
    bound: Pick<Bound, "alone" | "feeds"> | null,
    features: ReadonlySet<DecodeFeature>,
  ): Promise<Readonly<Record<string, Feed>>> => {
    const own = bound ? await laid("sequence", bound.alone) : {}
    const missing = new Map<DecodeFeature, RowFeeds>()
    for (const feature of features) if (!bound?.feeds.has(feature)) missing.set(feature, await neutralFeeds(feature))
    return missing.size === 0 ? own : { ...own, ...(await laid("sequence", asBatch(missing))) }
  }
  const banks = new Map<DecodeFeature, RowBank>()
  const bankOf = (feature: DecodeFeature): RowBank => {
    const bank = banks.get(feature) ?? new RowBank(device !== null)
    banks.set(feature, bank)
    return bank
  }
  const pool = new KvPool(config, context, headsApart)
  const known = new PrefixCache(options.prefixCacheBytes ?? PREFIX_CACHE_BYTES)
  /** Sequences by slot. */
  const slots: (Slotted | null)[] = []
  const place = (sequence: Slotted | null, slot: number): void => {
    slots[slot] = sequence
    if (sequence) sequence.slot = slot
  }

  /**
   * One run over caches: `count` new positions for each of the `rows` sequences from a slot on.
   * @returns the logits (or the hidden states, or both) of the last position of each, or with `all` of every one
   */
  const run = async (
    variant: DecodeVariant,
    input: Record<string, Feed>,
    { caches, slot, rows, count, all }: CacheRows & { count: number; all: boolean },
  ): Promise<{ readonly logits: Float32Array | null; readonly states: Float32Array | null }> => {
    const { kvHeads } = config
    const lengths = Array.from({ length: rows }, (_, row) => caches.length(slot + row))
    const positions = Array.from({ length: rows * count }, (_, i) => lengths[Math.floor(i / count)]! + (i % count))
    const places = Array.from(
      { length: rows * kvHeads * count },
      (_, i) => positions[Math.floor(i / (kvHeads * count)) * count + (i % count)]!,
    )
    const wanted = all
      ? Array.from({ length: rows * count }, (_, i) => i)
      : lengths.map((_, row) => (row + 1) * count - 1)
    const ends = lengths.map((length) => length + count)
    const session = await sessions.of(variant)
    const place = { caches, slot, rows }
    const present = new Map<string, DeviceTensor>()
    const {
      logits,
      states,
      new_kv: added,
    } = await session.run(
      {
        ...input,
        ...(device?.pastOf(place) ?? caches.views(slot, rows)),
        position_ids: i64([rows, count], positions),
        places: i64([rows, kvHeads, count, 1], places),
        last: i32(
          [rows],
          ends.map((end) => end - 1),
        ),
        total: i32([1], [Math.max(...ends)]),
        take: i64([wanted.length], wanted),
      },
      {},
      present,
    )
    const kept = added!.data as Float32Array
    caches.append(slot, rows, count, kept)
    // Left to the collector, what every step leaves makes it run between steps.
    freeNow(kept)
    device?.hold(place, present)
    const data = (tensor: Tensor | undefined) => (tensor ? (tensor.data as Float32Array) : null)
    return { logits: data(logits), states: data(states) }
  }

  /** Logits [rows, vocabulary] of states by an adapter's own output layer. */
  const logitsBy = async (weight: Tensor<"f32">, states: Float32Array): Promise<Float32Array> => {
    const rows = states.length / config.hiddenSize
    const { logits } = await (await sessions.ofHead()).run({ states: f32([rows, config.hiddenSize], states), weight })
    return logits!.data as Float32Array
  }

  /** What is fed where an embedding is, as it is, and where one gives way to a virtual token's. */
  const filled = (rows: number, count: number, value: number): Tensor<"f32"> =>
    f32([rows, count, config.hiddenSize], new Float32Array(rows * count * config.hiddenSize).fill(value))
  /** The inputs of a batch without embeddings of its own, fed again and again. */
  let plain: { readonly token_keep: Tensor<"f32">; readonly token_add: Tensor<"f32"> } | null = null
  const plainInput = (rows: number, count: number) => {
    const [knownRows, knownCount] = plain?.token_add.shape ?? []
    if (plain && knownRows === rows && knownCount === count) return plain
    for (const { data } of plain ? Object.values(plain) : []) freeNow(data)
    plain = { token_keep: filled(rows, count, 1), token_add: filled(rows, count, 0) }
    return plain
  }

  /** What is added to the embeddings of these rows of tokens, as long as each other; nothing where no adapter changes any. */
  const tokenInput = (rows: readonly { readonly bound: Bound | null; readonly tokens: readonly number[] }[]) => {
    const [count, width] = [rows[0]!.tokens.length, config.hiddenSize]
    if (rows.every(({ bound }) => !bound || bound.tokens.length === 0))
      return sessions.takesOwn ? plainInput(rows.length, count) : {}
    const added = new Float32Array(rows.length * count * width)
    for (const [row, { bound, tokens }] of rows.entries())
      if (bound) addTokenRows(bound.tokens, added.subarray(row * count * width, (row + 1) * count * width), tokens)
    const keep = sessions.takesOwn && { token_keep: filled(rows.length, count, 1) }
    return { ...keep, token_add: f32([rows.length, count, width], added) }
  }

  /** Feeds where the engine reads them best. */
  const laid = async (
    owner: FeedOwner,
    feeds: Readonly<Record<string, Tensor<"f32">>>,
  ): Promise<Readonly<Record<string, Feed>>> => device?.feeds(owner, feeds) ?? feeds

  /** Keys and values of an adapter's virtual tokens: computed once, then copied into each sequence. */
  const virtualCache = async (
    { prefix, prompts, virtualTokens, feeds }: LaidAdapter,
    { features, alone }: Pick<Bound, "features" | "alone">,
  ): Promise<Float32Array> => {
    const caches = new KvPool(config, context, headsApart)
    caches.reserve(1, virtualTokens)
    // A prefix comes first, where an adapter has both.
    if (prefix) caches.append(0, 1, prefix.tokens, prefix.data)
    for (const { shape, data } of prompts) {
      const [tokens, hidden] = shape as [number, number]
      const embeds = f32([1, tokens, hidden], data)
      // Where one session decodes for all, it takes them too: another would hold the weights once more.
      const own = sessions.takesOwn && {
        ...{ input_ids: i64([1, tokens], new Array<number>(tokens).fill(0)), token_add: embeds },
        token_keep: filled(1, tokens, 0),
      }
      const served = own ? await sessions.serving(features) : features
      const input = { ...(own || { embeds }), ...(await feedsAlone({ feeds, alone }, served)) }
      const variant = { embeds: !own, features: served }
      await run(variant, input, { caches, slot: 0, rows: 1, count: tokens, all: false })
    }
    const kept = caches.read(0, 0, virtualTokens)
    caches.release()
    return kept
  }

  /** Brings the sequences of a step to the first slots, moving as few as need be. */
  const gather = (sequences: readonly Slotted[]): void => {
    const wanted = new Set(sequences)
    const strangers = sequences.map((_, slot) => slot).filter((slot) => !wanted.has(slots[slot]!))
    for (const sequence of sequences) {
      if (sequence.slot < sequences.length) continue
      const to = strangers.pop()!
      const from = sequence.slot
      const stranger = slots[to] ?? null
      pool.swap(to, from)
      place(sequence, to)
      place(stranger, from)
    }
  }

  const checkRoom = ({ length, capacity }: Slotted, count: number): void => {
    if (count < 1 || length + count > capacity)
      throw new RangeError(`Expected 1 to ${capacity - length} tokens for this sequence but found ${count}`)
  }

  return {
    info: { vocabSize: config.vocabSize, contextLength: context, hiddenSize: config.hiddenSize },

    layOut: (adapter, breathe) => layOut(base, adapter, { context, ...(breathe && { breathe }) }),

    async bind(adapter): Promise<Bound> {
      const laidOut = isLaid(adapter) ? adapter : await layOut(base, adapter, { context })
      const bound = boundOf(laidOut)
      await sessions.readyFor(bound.features, hasOwn(laidOut))
      return laidOut.virtualTokens > 0 ? { ...bound, virtual: await virtualCache(laidOut, bound) } : bound
    },

    bindNow(adapter): Bound | null {
      const bound = boundOf(adapter)
      return adapter.virtualTokens === 0 && sessions.isReadyFor(bound.features, hasOwn(adapter)) ? bound : null
    },

    async open(adapter, capacity): Promise<Sequence> {
      const bound = adapter as Bound | null
      if (capacity > context)
        throw new RangeError(`Expected a capacity of at most ${context} positions but found ${capacity}`)
      const free = slots.indexOf(null)
      const slot = free < 0 ? slots.length : free
      const virtual = bound?.virtualTokens ?? 0
      pool.reserve(slot + 1, virtual)
      if (bound?.virtual) pool.append(slot, 1, virtual, bound.virtual)
      let open = true
      /** Tokens so far and the scope to keep them under, once somebody asked for that. */
      let kept: { readonly scope: string; readonly tokens: number[] } | null = null
      const add = async (tokens: readonly number[], all: boolean, states: boolean): Promise<Float32Array> => {
        if (!open) throw new TypeError("The sequence is closed")
        const count = tokens.length
        checkRoom(sequence, count)
        pool.reserve(slots.length, sequence.length + count)
        const features = await sessions.serving(bound?.features ?? new Set())
        const added = tokenInput([{ bound, tokens }])
        const input = { input_ids: i64([1, count], tokens), ...added, ...(await feedsAlone(bound, features)) }
        const variant = {
          embeds: false,
          states: states || Boolean(bound?.head),
          adds: "token_add" in added,
          features,
        }
        const found = await run(variant, input, { caches: pool, slot: sequence.slot, rows: 1, count, all })
        sequence.appended(tokens)
        if (states) return found.states!
        return bound?.head ? logitsBy(bound.head, found.states!) : found.logits!
      }
      const sequence: Slotted = {
        bound,
        capacity,
        slot,
        get length() {
          return open ? pool.length(sequence.slot) : 0
        },
        append: (tokens, all = false) => add(tokens, all, false),
        states: (tokens) => add(tokens, true, true),
        appended: (tokens) => void kept?.tokens.push(...tokens),
        reuse(tokens, salt) {
          if (!open || sequence.length > virtual) throw new TypeError("Expected an empty sequence to fill")
          // By what the adapter is, not by its name, which may come to mean another.
          const scope = JSON.stringify([bound?.hash ?? null, salt])
          const blocks = known.find(scope, tokens.slice(0, capacity - virtual))
          const count = blocks.length * BLOCK
          pool.reserve(slots.length, virtual + count)
          for (const block of blocks) pool.append(sequence.slot, 1, BLOCK, block)
          kept = { scope, tokens: tokens.slice(0, count) }
          return count
        },
        close() {
          if (!open) return
          if (kept)
            known.store(kept.scope, kept.tokens, (from, to) => pool.read(sequence.slot, virtual + from, virtual + to))
          open = false
          pool.clear(sequence.slot)
          slots[sequence.slot] = null
          if (slots.some((other) => other !== null)) return
          // Nobody is left: the next one begins with a small cache again.
          slots.length = 0
          pool.release()
          for (const bank of banks.values()) bank.clear()
        },
      }
      place(sequence, slot)
      return sequence
    },

    async step(rows: readonly StepRow[]) {
      const sequences = rows.map(({ sequence }) => sequence as Slotted)
      for (const sequence of sequences) {
        if (slots[sequence.slot] !== sequence) throw new TypeError("The sequence is closed")
        checkRoom(sequence, 1)
      }
      const count = rows.length
      pool.reserve(slots.length, 1 + Math.max(...sequences.map(({ length }) => length)))
      gather(sequences)
      const batch = slots.slice(0, count) as Slotted[]
      const features = await sessions.serving(new Set(batch.flatMap(({ bound }) => [...(bound?.features ?? [])])))
      const tokens: number[] = []
      for (const [i, sequence] of sequences.entries()) tokens[sequence.slot] = rows[i]!.token
      const added = tokenInput(batch.map(({ bound }, slot) => ({ bound, tokens: [tokens[slot]!] })))
      const input: Record<string, Feed> = { input_ids: i64([count, 1], tokens), ...added }
      for (const feature of features) {
        const none = await neutralFeeds(feature)
        const rows = bankOf(feature).feeds(batch.map(({ bound }) => bound?.feeds.get(feature) ?? none))
        Object.assign(input, await laid("batch", rows))
      }
      const states = batch.some(({ bound }) => bound?.head) && ("also" as const)
      const variant = { embeds: false, states, adds: "token_add" in added, features }
      const found = await run(variant, input, { caches: pool, slot: 0, rows: count, count: 1, all: false })
      const logits = found.logits!
      for (const [slot, { bound }] of batch.entries()) {
        if (!bound?.head) continue
        const own = found.states!.slice(slot * config.hiddenSize, (slot + 1) * config.hiddenSize)
        logits.set(await logitsBy(bound.head, own), slot * config.vocabSize)
      }
      for (const [i, sequence] of sequences.entries()) sequence.appended([rows[i]!.token])
      const { vocabSize } = config
      return sequences.map(({ slot }) => logits.subarray(slot * vocabSize, (slot + 1) * vocabSize))
    },

    rest: () => sessions.rest(),

    async dispose() {
      device?.clear()
      await sessions.rest()
      known.clear()
    },
  }
}

/** Whether an adapter has embeddings of its own, of tokens or of virtual ones. */
const hasOwn = ({ tokens, prompts }: LaidAdapter): boolean => tokens.length > 0 || prompts.length > 0

/** An adapter as sequences of it feed it, without its virtual tokens. */
function boundOf({ hash, virtualTokens, feeds, tokens, head }: LaidAdapter): Bound {
  const fed = { features: new Set(feeds.keys()), alone: asBatch(feeds) }
  return { hash, virtualTokens, feeds, tokens, head, ...fed, virtual: null, dispose: async () => {} }
}

/** What one sequence feeds, as a batch of one. */
function asBatch(feeds: ReadonlyMap<DecodeFeature, RowFeeds>): Record<string, Tensor<"f32">> {
  const batch: Record<string, Tensor<"f32">> = {}
  for (const matrices of feeds.values())
    for (const [name, { shape, data }] of Object.entries(matrices)) batch[name] = f32([1, ...shape], data)
  return batch
}
