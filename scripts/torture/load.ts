/**
 * @module The part about more clients than there is room for.
 */
import { mkdtemp, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { formatBytes } from "../../src/train/progress.ts"
import { crowd } from "./crowd.ts"
import { type Part, scaled } from "./part.ts"

/** Milliseconds, and how many times the memory from before. */
const [HEALTH_LIMIT, MEMORY_LIMIT] = [200, 1.1]
/** Requests of each client. */
const REQUESTS = 5

export const load: Part = {
  name: "load",
  summary: "1,000 clients at once, 5 requests each, on a server that trains meanwhile",
  async run(settings) {
    const store = await mkdtemp(join(tmpdir(), "espalier-torture-"))
    try {
      const clients = scaled(1000, settings)
      const found = await crowd({ base: settings.base, store, clients, requests: REQUESTS, seed: settings.seed })
      const grown = found.residentAfter / found.residentBefore
      const failures = [
        found.hung + found.failed + found.healthFailed,
        found.healthP99 > HEALTH_LIMIT ? 1 : 0,
        grown > MEMORY_LIMIT ? 1 : 0,
        found.filesAfter > found.filesBefore + 2 ? 1 : 0,
        found.trained === 0 ? 1 : 0,
      ]
      return {
        figures: found,
        lines: [
          `| ${clients} clients, each ${REQUESTS} times, while a job trains | found | wanted |`,
          "|---|---|---|",
          `| sent | ${found.sent} | |`,
          `| answered whole | ${found.answered} | |`,
          `| refused with 429 | ${found.refused} | the rest |`,
          `| hung; answered otherwise or cut off | ${found.hung}; ${found.failed} | 0; 0 |`,
          `| /health, p99 of ${found.healthAsked} | ${found.healthP99.toFixed(0)} ms | under ${HEALTH_LIMIT} ms |`,
          `| a refusal, p99 | ${found.refusalP99.toFixed(0)} ms | |`,
          `| memory before, at its peak, after | ${formatBytes(found.residentBefore)}, ${formatBytes(found.residentPeak)}, ${formatBytes(found.residentAfter)} (x ${grown.toFixed(2)}) | at most x ${MEMORY_LIMIT} |`,
          `| open files before, after | ${found.filesBefore}, ${found.filesAfter} | at most 2 more |`,
          `| steps trained meanwhile | ${found.trained} | more than 0 |`,
        ],
        wrong: failures.reduce((sum, each) => sum + each, 0),
      }
    } finally {
      await rm(store, { recursive: true, force: true })
    }
  },
}
