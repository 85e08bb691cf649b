/**
 * @module A runtime that keeps tensors "in its own memory": a processor's, wrapped so that nothing else can read them, which
 * counts what is fed from where and what was not given back.
 */
import type { Tensor } from "../../src/core/tensor.ts"
import type { DeviceTensor, Feed, Runtime } from "../../src/runtime/runtime.ts"

/** What went on. */
export interface DeviceCounts {
  /** Runs that were fed caches from the engine's memory, and those that were fed them from ours. */
  kept: number
  fed: number
  /** Tensors laid into the engine's memory, and those that lie there now. */
  uploads: number
  live: number
}

/** The runtime with a memory of its own. */
export function deviceRuntime(runtime: Runtime): { readonly runtime: Runtime; readonly counts: DeviceCounts } {
  const counts: DeviceCounts = { kept: 0, fed: 0, uploads: 0, live: 0 }
  const lay = (tensor: Tensor): DeviceTensor => {
    const { dtype, shape, data } = tensor
    const handle = { data: data.slice() as Tensor["data"] | null }
    counts.live++
    const dispose = (): void => {
      if (handle.data === null) throw new TypeError("A tensor was given back twice")
      handle.data = null
      counts.live--
    }
    return { dtype, shape, handle, dispose }
  }
  const hostOf = (feed: Feed): Tensor => {
    if (!("handle" in feed)) return feed
    const { data } = feed.handle as { data: Tensor["data"] | null }
    if (data === null) throw new TypeError("A tensor was fed that is given back")
    return { dtype: feed.dtype, shape: feed.shape, data } as Tensor
  }
  return {
    counts,
    runtime: {
      ...runtime,
      async upload(tensor) {
        counts.uploads++
        return lay(tensor)
      },
      async createSession({ keep = [], ...spec }) {
        const session = await runtime.createSession(spec)
        return {
          async run(feeds, into, kept) {
            const cache = feeds["past_k.0"]
            if (cache) counts["handle" in cache ? "kept" : "fed"]++
            const host = Object.fromEntries(Object.entries(feeds).map(([name, feed]) => [name, hostOf(feed)]))
            const found = await session.run(host, into)
            for (const name of keep) {
              kept?.set(name, lay(found[name]!))
              delete found[name]
            }
            return found
          },
          dispose: () => session.dispose(),
        }
      },
    },
  }
}
