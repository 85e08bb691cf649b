/**
 * @module The part about faults: the tests that try a few of each at every commit, with the counts of a release.
 */
import { spawn } from "node:child_process"
import { fileURLToPath } from "node:url"
import { type Part, scaled } from "./part.ts"

/** A fault, and the test that tries it. */
interface Fault {
  readonly what: string
  readonly test: string
  /** How often at each commit, and here. What is not counted is tried whole each time. */
  readonly times: readonly [perCommit: number, here: number] | null
}

/** Every one of them. */
export const faults: readonly Fault[] = [
  { what: "kill -9 of a training run", test: "runtimes/bun/kill-resume", times: [3, 300] },
  { what: "kill -9 of a server that takes files and trains", test: "runtimes/bun/kill-serve", times: [3, 100] },
  { what: "kill -9 after each write of a job's life", test: "faults/killed-writes", times: [12, 1000] },
  { what: "each write to the database fails once", test: "unit/jobs/queue-faults", times: null },
  { what: "bad adapter files", test: "faults/bad-adapter", times: null },
  { what: "requests of any kind, over every route", test: "http/fuzz", times: [10_000, 100_000] },
  { what: "jobs, queries, ids and forms of any kind", test: "http/jobs-fuzz", times: [200, 3500] },
  { what: "bytes that are no HTTP, over a socket", test: "faults/raw-requests", times: [300, 5000] },
  { what: "clients that leave in the middle", test: "faults/disconnect", times: [600, 10_000] },
  { what: "a full queue", test: "http/generation", times: null },
  { what: "seconds until the first token", test: "faults/slow-prefill", times: [13, 30] },
  { what: "adapters deleted in use", test: "faults/deleted-adapter", times: [1000, 10_000] },
  { what: "SIGTERM under load and in training", test: "faults/sigterm", times: [8, 100] },
  { what: "damages of the job store", test: "faults/damaged-store", times: [40, 200] },
  { what: "creations whose answer is lost", test: "faults/lost-reply", times: [1000, 5000] },
  { what: "every route by every key in every spelling", test: "faults/auth-matrix", times: null },
]

const root = fileURLToPath(new URL("../..", import.meta.url))

export const faultParts: Part = {
  name: "faults",
  summary: "what the tests try a few times at each commit, as often as for a release",
  async run(settings) {
    const rows: { what: string; perCommit: number | null; here: number | null; ok: boolean; tail: string }[] = []
    for (const { what, test, times } of faults) {
      const here = times && Math.max(times[0], scaled(times[1], settings))
      const { code, output } = await runTest(`test/${test}.test.ts`, here, settings.seed)
      rows.push({ what, perCommit: times?.[0] ?? null, here, ok: code === 0, tail: output.slice(-4000) })
      if (code !== 0) console.error(output.slice(-4000))
    }
    return {
      figures: rows,
      lines: [
        "| fault | at each commit | here | |",
        "|---|---|---|---|",
        ...rows.map(
          ({ what, perCommit, here, ok }) =>
            `| ${what} | ${perCommit ?? "all"} | ${here ?? "all"} | ${ok ? "nothing wrong" : "WRONG"} |`,
        ),
      ],
      wrong: rows.filter(({ ok }) => !ok).length,
    }
  },
}

/** Runs one test file. */
function runTest(path: string, times: number | null, seed: number): Promise<{ code: number | null; output: string }> {
  const counts = times === null ? {} : { ESPALIER_TIMES: String(times) }
  const child = spawn(process.execPath, ["test", path], {
    cwd: root,
    env: { ...process.env, ...counts, ESPALIER_SEED: String(seed) },
    stdio: ["ignore", "pipe", "pipe"],
  })
  let output = ""
  for (const stream of [child.stdout, child.stderr])
    stream.on("data", (data) => {
      output += data
    })
  return new Promise((resolve) => child.on("close", (code) => resolve({ code, output })))
}
