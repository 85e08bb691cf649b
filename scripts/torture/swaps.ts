/**
 * @module What a swap costs those who stream: requests for another resident adapter than before, names that come to mean another
 * adapter in memory, and adapters loaded from disk, each while streams run.
 */
import { mkdtemp, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { rng } from "../../src/core/rng.ts"
import type { OpenBase } from "../../src/presets/open-base.ts"
import { readingThread, readsApart } from "../../src/presets/reading-thread.ts"
import type { Runtime } from "../../src/runtime/runtime.ts"
import { createEngine } from "../../src/serve/engine.ts"
import { graphDecoder } from "../../src/serve/graph-decoder.ts"
import { engineTarget, type Percentiles, percentiles } from "../bench/load.ts"
import { randomLora, writeRandomLora } from "../random-lora.ts"
import { watched } from "./timed-decoder.ts"

/** How much of it. */
export interface SwapOptions {
  readonly open: OpenBase
  /** The base's folder. */
  readonly path: string
  readonly runtime: Runtime
  /** Swaps of each kind. */
  readonly swaps: number
  /** Streams that run meanwhile. */
  readonly streams: number
  /** Adapters that are resident. */
  readonly resident: number
  readonly seed: number
}

/** What came of it. Times in milliseconds. */
export interface SwapFigures {
  /** Requests on another adapter than that client's last. */
  readonly swaps: number
  /** What a step in which adapters came to sit in rows took longer than the median of those in which none did. */
  readonly added: Percentiles
  /** Time of a step beside the run of the graph, where no adapter came. */
  readonly plain: Percentiles
  /** Time that streams stood still until a name meant another adapter of memory. */
  readonly named: Percentiles
  /** Reading an adapter's files, checking and binding it, while nobody streams. */
  readonly fromDisk: Percentiles
  /** The time that streams stood still for an adapter from disk. */
  readonly fromDiskHeld: Percentiles
  /** Time between two runs of the graph, whatever it went by with, while nothing is loaded. */
  readonly gaps: Percentiles
  /** The longest of these times while an adapter from disk is read, checked and bound. */
  readonly fromDiskGaps: Percentiles
  /** From the order to load from disk until the name stands, while streams run: files are read between their steps. */
  readonly fromDiskStands: Percentiles
  /** Sessions built after all adapters were loaded. */
  readonly sessions: number
}

const RANK = 8
const FOLDERS = 4
/** Tokens of a prompt, and the most of an answer. */
const [PROMPT, OUTPUT] = [16, 32]

/** Runs it. */
export async function swaps(options: SwapOptions): Promise<SwapFigures> {
  const { open, resident, streams, seed } = options
  const { base, tokenizer } = open
  if (!tokenizer) throw new TypeError(`Base ${base.name} has no tokenizer`)
  const { seen, runtime, watch } = watched(options.runtime)
  const random = rng(seed, "torture:swaps")
  const here = createEngine({
    base: base.name,
    baseHash: base.hash,
    backend: runtime.name,
    decoder: watch(await graphDecoder({ runtime, base, prefixCacheBytes: 0 })),
    tokenizer,
    scheduler: { maxActive: streams, maxWaiting: 4 * streams },
  })
  const worker = new URL("../../src/entry/reading-worker.ts", import.meta.url)
  const { baseHash, contextLength } = here.info
  // As a server has them read.
  const engine = readsApart(here, readingThread(worker, { base: options.path, baseHash, contextLength }))
  const folder = await mkdtemp(join(tmpdir(), "espalier-swaps-"))
  try {
    const adapters = Array.from({ length: resident }, (_, i) =>
      randomLora(base, {
        ...{ random: rng(seed * 1000 + i, "torture:swaps"), hash: `swap ${i}`, rank: RANK, scale: 1 },
        ...{ stdA: () => 0.02, stdB: 0.02, targets: null },
      }),
    )
    const names = adapters.map((_, i) => `resident-${i}`)
    for (const [i, name] of names.entries()) await engine.load(name, { adapter: adapters[i]! })
    for (let i = 0; i < FOLDERS; i++) await writeRandomLora(open, join(folder, `${i}`), { seed: i, std: 0.02 })

    const target = engineTarget(engine)
    // Rows of a batch are made for so many streams while the first of them come: that is no swap, and not counted.
    const warmup = 4 * streams
    let [asked, sessions] = [0, 0]
    const start = (): void => {
      sessions = seen.sessions
      seen.steps.length = 0
      seen.gaps.length = 0
    }
    /** Streams until it is told to stop, each request on another adapter than the one before. */
    const client = async (more: () => boolean): Promise<void> => {
      for (let last = random.pick(names); more(); ) {
        if (++asked === warmup) start()
        last = random.pick(names.filter((name) => name !== last))
        const prompt = Array.from({ length: PROMPT }, () => random.below(base.config.vocabSize))
        for await (const _ of target.ask(prompt, last, 1 + random.below(OUTPUT)));
      }
    }
    const crowd = (more: () => boolean) => Promise.all(Array.from({ length: streams }, () => client(more)))

    await crowd(() => asked < warmup + options.swaps)
    const requests = asked - warmup
    const [steps, gaps] = [[...seen.steps], [...seen.gaps]]

    /** Does something so many times beside the streams. */
    const meanwhile = async (swap: (i: number) => Promise<void>): Promise<void> => {
      let done = false
      const streaming = crowd(() => !done)
      try {
        for (let i = 0; i < options.swaps; i++) {
          await swap(i)
          await new Promise((resolve) => setTimeout(resolve, random.below(4)))
        }
      } finally {
        done = true
        await streaming
      }
    }
    seen.binds.length = 0
    await meanwhile(async () => {
      await engine.load(random.pick(names), { adapter: random.pick(adapters) }, { replace: true })
    })
    const named = [...seen.binds]
    seen.binds.length = 0
    const fromDisk = async (i: number): Promise<number> => {
      const began = performance.now()
      await engine.load(random.pick(names), { path: join(folder, `${i % FOLDERS}`) }, { replace: true })
      return performance.now() - began
    }
    const stands: number[] = []
    const longest: number[] = []
    await meanwhile(async (i) => {
      seen.gaps.length = 0
      stands.push(await fromDisk(i))
      longest.push(Math.max(0, ...seen.gaps))
    })
    const held = [...seen.binds]
    const alone: number[] = []
    for (let i = 0; i < options.swaps; i++) alone.push(await fromDisk(i))
    const plain = percentiles(steps.filter(({ swapped }) => swapped === 0).map(({ beside }) => beside))
    // A step that two swaps fall into counts for both.
    const added = steps.flatMap(({ beside, swapped }) =>
      Array.from({ length: swapped }, () => Math.max(0, beside - plain.median)),
    )
    return {
      swaps: requests,
      added: percentiles(added),
      plain,
      named: percentiles(named),
      fromDisk: percentiles(alone),
      fromDiskHeld: percentiles(held),
      gaps: percentiles(gaps),
      fromDiskGaps: percentiles(longest),
      fromDiskStands: percentiles(stands),
      sessions: seen.sessions - sessions,
    }
  } finally {
    await engine.close()
    await rm(folder, { recursive: true, force: true })
  }
}
