/**
 * @module A decoder that is watched: how long each step takes beside the run of the graph itself, in which of them an adapter
 * came to sit in a row, how long streams stand still for a bind, and how many sessions were built.
 */
import type { LoadedAdapter } from "../../src/forms/form.ts"
import type { Runtime, Session } from "../../src/runtime/runtime.ts"
import type { BoundAdapter, Decoder, Sequence } from "../../src/serve/decoder.ts"
import type { LaidAdapter } from "../../src/serve/laid-adapter.ts"

/** What was seen. Times in milliseconds. */
export interface Seen {
  /** Each step's time outside of the graph's run. */
  readonly steps: { readonly beside: number; readonly rows: number; readonly swapped: number }[]
  /** The longest time that nothing else could be computed in, for each bind. */
  readonly binds: number[]
  /** Times from the end of one run of the graph to the begin of the next. */
  readonly gaps: number[]
  /** Sessions built so far. */
  sessions: number
}

/** A runtime and, over a decoder of it, the same that note what they do. */
export interface Watched {
  readonly seen: Seen
  readonly runtime: Runtime
  watch(decoder: Decoder): Decoder
}

/** Watches a runtime. @param clock milliseconds that never run backwards */
export function watched(inner: Runtime, clock: () => number = () => performance.now()): Watched {
  const seen: Seen = { steps: [], binds: [], gaps: [], sessions: 0 }
  let running = 0
  let ended: number | null = null
  const timed = (session: Session): Session => ({
    async run(feeds, into) {
      const began = clock()
      if (ended !== null) seen.gaps.push(began - ended)
      const found = await session.run(feeds, into)
      ended = clock()
      running += ended - began
      return found
    },
    dispose: () => session.dispose(),
  })
  const runtime: Runtime = {
    ...inner,
    async createSession(spec) {
      seen.sessions++
      return timed(await inner.createSession(spec))
    },
    dispose: () => inner.dispose(),
  }
  const watch = (decoder: Decoder): Decoder => {
    /** Which adapter each sequence is on. */
    const adapterOf = new WeakMap<Sequence, BoundAdapter>()
    /** The longest part of what was done ahead of a bind. */
    const parts = new WeakMap<LoadedAdapter | LaidAdapter, number>()
    let before = new Set<Sequence>()
    return {
      info: decoder.info,
      async layOut(adapter, breathe) {
        let [began, longest] = [clock(), 0]
        const laid = await decoder.layOut!(adapter, async () => {
          longest = Math.max(longest, clock() - began)
          await breathe?.()
          began = clock()
        })
        parts.set(laid, Math.max(longest, clock() - began))
        return laid
      },
      async bind(adapter) {
        const began = clock()
        const bound = await decoder.bind(adapter)
        seen.binds.push(Math.max(parts.get(adapter) ?? 0, clock() - began))
        return bound
      },
      bindNow(adapter) {
        const began = clock()
        const bound = decoder.bindNow!(adapter)
        if (bound) seen.binds.push(Math.max(parts.get(adapter) ?? 0, clock() - began))
        return bound
      },
      async open(adapter, capacity) {
        const sequence = await decoder.open(adapter, capacity)
        if (adapter) adapterOf.set(sequence, adapter)
        return sequence
      },
      async step(rows) {
        const sequences = rows.map(({ sequence }) => sequence)
        const swapped = sequences.filter((sequence) => adapterOf.has(sequence) && !before.has(sequence)).length
        before = new Set(sequences)
        const [began, ran] = [clock(), running]
        const logits = await decoder.step(rows)
        seen.steps.push({ beside: clock() - began - (running - ran), rows: rows.length, swapped })
        return logits
      },
      dispose: () => decoder.dispose(),
    }
  }
  return { seen, runtime, watch }
}
