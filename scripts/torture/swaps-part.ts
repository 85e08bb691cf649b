/**
 * @module The part about what swaps cost: no session is built, and those who stream hardly wait.
 */
import { openBase } from "../../src/presets/open-base.ts"
import { openRuntime } from "../../src/presets/open-runtime.ts"
import type { Percentiles } from "../bench/load.ts"
import { type Part, scaled } from "./part.ts"
import { swaps } from "./swaps.ts"

/** Milliseconds. */
const [MEMORY_LIMIT, DISK_LIMIT] = [2, 20]
const [STREAMS, RESIDENT] = [32, 64]

export const swapsPart: Part = {
  name: "swaps",
  summary: "1,000 swaps of each kind among 64 resident adapters while 32 clients stream",
  async run(settings) {
    const open = await openBase(settings.base)
    const { runtime } = await openRuntime(settings.backend)
    const found = await swaps({
      ...{ open, path: settings.base, runtime, streams: STREAMS, resident: RESIDENT, seed: settings.seed },
      swaps: scaled(1000, settings),
    })
    await runtime.dispose()
    const line = (what: string, { median, p95, p99, count }: Percentiles, wanted: string): string =>
      `| ${what} | ${count} | ${[median, p95, p99].map((ms) => ms.toFixed(2)).join(", ")} ms | ${wanted} |`
    const failures = [
      found.added.p99 >= MEMORY_LIMIT,
      found.named.p99 >= MEMORY_LIMIT,
      found.fromDiskHeld.p99 >= MEMORY_LIMIT,
      found.fromDisk.p99 >= DISK_LIMIT,
      found.fromDiskStands.p99 >= DISK_LIMIT,
      found.sessions > 0,
    ]
    return {
      figures: { backend: runtime.detail, ...found },
      lines: [
        `${runtime.name} (${runtime.detail}); ${RESIDENT} resident adapters, ${STREAMS} streams`,
        "",
        "| what | tried | p50, p95, p99 | p99 wanted |",
        "|---|---|---|---|",
        line("a step's time beside the graph's run, no swap in it", found.plain, ""),
        line("added to a step by requests on other adapters", found.added, `under ${MEMORY_LIMIT} ms`),
        line("streams stand still: a name gets another adapter of memory", found.named, `under ${MEMORY_LIMIT} ms`),
        line("streams stand still: it gets one from disk", found.fromDiskHeld, `under ${MEMORY_LIMIT} ms`),
        line("until a name stands for one from disk, nobody streaming", found.fromDisk, `under ${DISK_LIMIT} ms`),
        line("the same between the steps of the streams", found.fromDiskStands, `under ${DISK_LIMIT} ms`),
        line("between two runs of the graph, nothing loaded", found.gaps, ""),
        line("the longest such time while one is loaded from disk", found.fromDiskGaps, ""),
        "",
        `${found.sessions} sessions were built.`,
      ],
      wrong: failures.filter(Boolean).length,
    }
  },
}
