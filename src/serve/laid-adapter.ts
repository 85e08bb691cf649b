/**
 * @module An adapter as a decoder feeds it: all of binding that needs no engine, done. It is made of plain values, so it may be
 * laid out on another thread than the one that decodes, which for a model that answers many is time between two tokens.
 */
import { freeNow } from "../core/bytes.ts"
import { f32, type Tensor } from "../core/tensor.ts"
import type { Form, LoadedAdapter } from "../forms/form.ts"
import type { Base } from "../models/base.ts"
import type { Breathe } from "./breathe.ts"
import { checkForms, virtualTokensOf } from "./check-forms.ts"
import { type DecodeFeature, decodeFeeds, featuresOf } from "./decode-hooks.ts"
import { ownHead, type TokenRows, tokenRows } from "./own-tables.ts"
import { together } from "./room-for-values.ts"
import type { RowFeeds } from "./row-bank.ts"

/** An adapter that was checked against a base and laid out for it: immutable. */
export interface LaidAdapter {
  /** As {@link LoadedAdapter} has them. */
  readonly hash: string
  readonly method: string
  readonly sizeBytes: number
  /** Positions that its virtual tokens take. */
  readonly virtualTokens: number
  /** What it feeds, by feature. */
  readonly feeds: ReadonlyMap<DecodeFeature, RowFeeds>
  /** Keys and values of its prefix; null where it has none. */
  readonly prefix: PrefixRows | null
  /** Its virtual tokens after the prefix, f32 [tokens, hidden] each. */
  readonly prompts: readonly Tensor<"f32">[]
  /** What it adds to the embeddings of tokens. */
  readonly tokens: readonly TokenRows[]
  /** Its own output layer [vocabulary, hidden]; null for the base's. */
  readonly head: Tensor<"f32"> | null
}

/** Keys and values of virtual tokens, in the order of `KvPool.append`. */
export interface PrefixRows {
  readonly tokens: number
  readonly data: Float32Array
}

/** Whether an adapter is laid out. */
export const isLaid = (adapter: LoadedAdapter | LaidAdapter): adapter is LaidAdapter => "feeds" in adapter

/**
 * Checks an adapter and lays it out.
 * @param context positions that a sequence may have
 * @param breathe called between its parts
 * @throws {EspalierError} `adapter_mismatch` or `unsupported`: see `checkForms`
 */
export async function layOut(
  base: Base,
  { hash, method, sizeBytes, forms }: LoadedAdapter,
  { context, breathe }: { readonly context: number; readonly breathe?: Breathe },
): Promise<LaidAdapter> {
  checkForms(base, forms, context)
  const feeds = new Map<DecodeFeature, RowFeeds>()
  const values = forms.map((form) => (form.form === "lowrank" ? form.a.data.length + form.b.data.length : 0))
  const room = together(values.reduce((sum, count) => sum + count, 0))
  for (const feature of featuresOf(base, forms)) {
    await breathe?.()
    feeds.set(feature, await decodeFeeds(base, feature, forms, room))
  }
  return {
    ...{ hash, method, sizeBytes, feeds },
    virtualTokens: virtualTokensOf(forms),
    prefix: prefixRows(forms, base.config),
    prompts: forms.flatMap((form) => (form.form === "prompt" ? [form.embeddings] : [])),
    tokens: await tokenRows(base, forms),
    head: await ownHead(base, forms),
  }
}

/** Everything that an adapter holds. */
const arraysOf = ({ feeds, prefix, prompts, tokens, head }: LaidAdapter): Float32Array[] => [
  ...[...feeds.values()].flatMap((rows) => Object.values(rows).map(({ data }) => data)),
  ...(prefix ? [prefix.data] : []),
  ...prompts.map(({ data }) => data),
  ...tokens.map(({ data }) => data),
  ...(head ? [head.data] : []),
]

/** The memory that an adapter lies in, for whoever hands it to another thread: here it is empty afterwards. */
export const memoryOf = (adapter: LaidAdapter): ArrayBuffer[] => [
  ...new Set(arraysOf(adapter).map(({ buffer }) => buffer as ArrayBuffer)),
]

/**
 * Gives back the memory of forms that were laid out and that nobody wants any more: left to the collector, those of a dozen adapters
 * lie about. What the adapter feeds as it was read stays.
 */
export function freeForms(forms: readonly Form[], laid: LaidAdapter): void {
  const fed = new Set(memoryOf(laid))
  // Those that were read from one file share its memory.
  const given = new Map<ArrayBuffer, Tensor["data"]>()
  for (const form of forms)
    for (const part of Object.values(form) as (Tensor | string | number)[])
      if (typeof part === "object" && part !== null && "data" in part)
        given.set(part.data.buffer as ArrayBuffer, part.data)
  for (const [memory, data] of given) if (!fed.has(memory)) freeNow(data)
}

/** The same in one piece of memory, which is quicker to hand over than many. */
export function inOnePiece(adapter: LaidAdapter): LaidAdapter {
  const { feeds, prefix, prompts, tokens, head } = adapter
  const size = arraysOf(adapter).reduce((sum, { length }) => sum + length, 0)
  const [memory, more] = memoryOf(adapter)
  if (!more && memory?.byteLength === size * Float32Array.BYTES_PER_ELEMENT) return adapter
  const all = new Float32Array(size)
  let at = 0
  const moved = (data: Float32Array): Float32Array => {
    const place = all.subarray(at, at + data.length)
    place.set(data)
    at += data.length
    return place
  }
  const tensor = ({ shape, data }: Tensor<"f32">): Tensor<"f32"> => f32(shape, moved(data))
  const rows = (matrices: RowFeeds): RowFeeds =>
    Object.fromEntries(
      Object.entries(matrices).map(([name, matrix]) => [name, { ...matrix, data: moved(matrix.data) }]),
    )
  return {
    ...adapter,
    feeds: new Map([...feeds].map(([feature, matrices]) => [feature, rows(matrices)])),
    prefix: prefix && { ...prefix, data: moved(prefix.data) },
    prompts: prompts.map(tensor),
    tokens: tokens.map((each) => ({ ...each, data: moved(each.data) })),
    head: head && tensor(head),
  }
}

/** A prefix's keys and values; null where there is none. */
function prefixRows(forms: readonly Form[], { layers, kvHeads, headDim }: Base["config"]): PrefixRows | null {
  const prefixes = forms.filter((form) => form.form === "prefix")
  if (prefixes.length === 0) return null
  const tokens = prefixes[0]!.keys.shape[0]!
  const data = new Float32Array(layers * 2 * kvHeads * tokens * headDim)
  for (const { layer, keys, values } of prefixes)
    for (const [i, { data: rows }] of [keys, values].entries())
      for (let t = 0; t < tokens; t++)
        for (let head = 0; head < kvHeads; head++) {
          const from = (t * kvHeads + head) * headDim
          const to = (((2 * layer + i) * kvHeads + head) * tokens + t) * headDim
          data.set(rows.subarray(from, from + headDim), to)
        }
  return { tokens, data }
}
