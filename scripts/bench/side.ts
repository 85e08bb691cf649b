/**
 * @module Who is measured by `bench serve`: this project's engine, and a peer beside it.
 */
import type { LoadedAdapter } from "../../src/forms/form.ts"
import type { EngineApi } from "../../src/serve/engine-api.ts"
import { engineTarget, type Load, type LoadFigures, runLoad } from "./load.ts"
import { peakMemory } from "./machine.ts"
import type { PeerProcess } from "./peers/process.ts"
import { type Summary, summarise, timeRuns } from "./stats.ts"

/** Bytes of one process. */
export interface Memory {
  readonly resident_bytes: number
  readonly peak_bytes: number
}

/** One of those that answer. */
export interface Side {
  readonly label: string
  /** What computes. */
  readonly detail: string
  readonly hasAdapters: boolean
  load(load: Load): Promise<LoadFigures>
  memory(): Memory
  /** Milliseconds until a name stands for another adapter that was in memory or in a file; null without adapters. */
  swap(): Promise<Summary | null>
  close(): Promise<void>
}

/** Swaps that are timed, after some that are not. */
const SWAPS = 20

/** This project's engine. @param adapters what it has loaded */
export function engineSide(engine: EngineApi, adapters: ReadonlyMap<string, LoadedAdapter>): Side {
  const target = engineTarget(engine)
  return {
    label: "espalier",
    detail: engine.info.backend,
    hasAdapters: adapters.size > 0,
    load: (load) => runLoad(target, load),
    memory: () => ({ resident_bytes: process.memoryUsage.rss(), peak_bytes: peakMemory() }),
    async swap() {
      const [first] = adapters
      if (!first) return null
      const versions = [...adapters.values()]
      const swapTo = (i: number) =>
        engine.load(first[0], { adapter: versions[i % versions.length]! }, { replace: true })
      const times = await timeRuns(async (i) => void (await swapTo(i + 1)), { warmup: 2, count: SWAPS })
      await swapTo(0)
      return summarise(times)
    },
    close: () => engine.close(),
  }
}

/** A peer in its own process. */
export function peerSide(label: string, peer: PeerProcess, hasAdapters: boolean): Side {
  let memory: Memory = { resident_bytes: 0, peak_bytes: 0 }
  return {
    ...{ label, detail: peer.detail, hasAdapters },
    async load(load) {
      const { figures, resident, peak } = await peer.load(load)
      memory = { resident_bytes: resident, peak_bytes: peak }
      return figures
    },
    memory: () => memory,
    async swap() {
      const times = await peer.swap(SWAPS)
      return times && summarise(times)
    },
    close: () => peer.close(),
  }
}
