/**
 * @module A decoder for tests: logits are a hash of the adapter and the last three tokens, so that every adapter has a
 * text of its own and any mix-up shows. It refuses overlapping calls and counts what is open.
 */
import { EspalierError } from "../../src/core/errors.ts"
import type { LoadedAdapter } from "../../src/forms/form.ts"
import type { BoundAdapter, Decoder, Sequence } from "../../src/serve/decoder.ts"
import { isLaid } from "../../src/serve/laid-adapter.ts"
import { fakeVocab } from "./fake-tokenizer.ts"

/** How the fake behaves. */
export interface FakeDecoderOptions {
  readonly contextLength?: number
  /** Runs inside every append, before it answers. */
  readonly beforeAppend?: (tokens: readonly number[], sequence: FakeSequenceInfo) => void | Promise<void>
  /** Says the next token outright, in place of the hash. */
  readonly next?: (tokens: readonly number[]) => number
}

/** What a test may look at. */
export interface FakeSequenceInfo {
  readonly adapter: string | null
  readonly capacity: number
  readonly tokens: readonly number[]
}

/** A decoder with its books open. */
export interface FakeDecoder extends Decoder {
  readonly books: {
    readonly sequences: number
    readonly adapters: number
    readonly appends: number
    readonly steps: number
  }
  readonly disposed: boolean
}

/** An adapter that is nothing but its hash. @param virtualTokens by a prompt form of that many rows */
export function fakeAdapter(seed: string, virtualTokens = 0): LoadedAdapter {
  const hash = Array.from({ length: 8 }, (_, i) => hashOf(seed, i).toString(16).padStart(8, "0")).join("")
  const embeddings = { dtype: "f32" as const, shape: [virtualTokens, 1], data: new Float32Array(virtualTokens) }
  return {
    hash,
    method: "fake",
    forms: virtualTokens > 0 ? [{ form: "prompt", embeddings }] : [],
    sizeBytes: 4 * virtualTokens,
  }
}

/** A fresh fake. */
export function createFakeDecoder(options: FakeDecoderOptions = {}): FakeDecoder {
  const contextLength = options.contextLength ?? 4096
  const counts = { sequences: 0, adapters: 0, appends: 0, steps: 0 }
  let disposed = false
  let busy = false
  const exclusively = async <T>(job: () => T | Promise<T>): Promise<T> => {
    if (busy) throw new Error("Two calls of the decoder overlap")
    busy = true
    try {
      await Promise.resolve()
      return await job()
    } finally {
      busy = false
    }
  }

  /** An append outside the lock, in two parts: what may fail, and what changes the sequence. */
  interface Halves {
    check(added: readonly number[]): Promise<void>
    commit(added: readonly number[], all?: boolean): Float32Array
  }
  const halves = new WeakMap<Sequence, Halves>()

  const open = (adapter: BoundAdapter | null, capacity: number): Sequence => {
    if (capacity > contextLength) throw new RangeError(`Capacity ${capacity} is over the context`)
    const tokens: number[] = []
    const virtual = adapter?.virtualTokens ?? 0
    let closed = false
    counts.sequences++
    const check = async (added: readonly number[]): Promise<void> => {
      if (closed) throw new Error("The sequence is closed")
      if (added.length === 0) throw new Error("Nothing to append")
      if (virtual + tokens.length + added.length > capacity) throw new RangeError("Over the sequence's capacity")
      await options.beforeAppend?.(added, { adapter: adapter?.hash ?? null, capacity, tokens: [...tokens, ...added] })
    }
    const commit = (added: readonly number[], all = false): Float32Array => {
      counts.appends++
      const before = tokens.length
      tokens.push(...added)
      const rows = all ? added.length : 1
      const logits = new Float32Array(rows * fakeVocab)
      for (let row = 0; row < rows; row++) {
        const upTo = all ? before + row + 1 : tokens.length
        fill(logits.subarray(row * fakeVocab, (row + 1) * fakeVocab), adapter?.hash ?? "base", tokens.slice(0, upTo))
      }
      return logits
    }
    const sequence: Sequence = {
      get length() {
        return virtual + tokens.length
      },
      reuse: () => 0,
      // Two features: how many tokens there are, and their sum.
      states: (added) =>
        exclusively(async () => {
          await check(added)
          commit(added)
          return Float32Array.from(added.flatMap((token) => [1, token]))
        }),
      append: (added, all) =>
        exclusively(async () => {
          await check(added)
          return commit(added, all)
        }),
      close() {
        if (closed) return
        closed = true
        counts.sequences--
      },
    }
    halves.set(sequence, { check, commit })
    return sequence
  }

  /** Letters and a blank are likely, everything else is not; only `next` ever says that it ends. */
  const fill = (logits: Float32Array, hash: string, tokens: readonly number[]): void => {
    logits.fill(-30)
    if (options.next !== undefined) {
      logits[options.next(tokens)] = 10
      return
    }
    const place = hashOf(`${hash}/${tokens.slice(-3)}`, 0)
    for (let i = 0; i < 27; i++) logits[i === 26 ? 32 : 97 + i] = (hashOf(`${place}`, i) % 8000) / 1000
  }

  return {
    info: { vocabSize: fakeVocab, contextLength, hiddenSize: 2 },
    bind: (adapter) =>
      exclusively(() => {
        const forms = isLaid(adapter) ? [] : adapter.forms
        const odd = forms.find((form) => form.form !== "prompt")
        if (odd !== undefined) throw new EspalierError("adapter_mismatch", `The fake has no place for ${odd.form}`)
        counts.adapters++
        const prompt = forms[0]
        let bound = true
        return {
          hash: adapter.hash,
          virtualTokens: prompt?.form === "prompt" ? prompt.embeddings.shape[0]! : 0,
          async dispose() {
            if (!bound) throw new Error("The adapter is disposed of twice")
            bound = false
            counts.adapters--
          },
        }
      }),
    open: (adapter, capacity) => exclusively(() => open(adapter, capacity)),
    step: (rows) =>
      exclusively(async () => {
        if (new Set(rows.map(({ sequence }) => sequence)).size < rows.length) throw new Error("A sequence comes twice")
        counts.steps++
        for (const { sequence, token } of rows) await halves.get(sequence)!.check([token])
        return rows.map(({ sequence, token }) => halves.get(sequence)!.commit([token]))
      }),
    async dispose() {
      disposed = true
    },
    get books() {
      return { ...counts }
    },
    get disposed() {
      return disposed
    },
  }
}

/** FNV-1a with a final mix. */
function hashOf(text: string, salt: number): number {
  let hash = 2166136261 ^ salt
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 16777619)
  hash = Math.imul(hash ^ (hash >>> 15), 2246822519)
  hash = Math.imul(hash ^ (hash >>> 13), 3266489917)
  return (hash ^ (hash >>> 16)) >>> 0
}
