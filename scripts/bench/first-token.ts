/**
 * @module `bench first-token`: how long a fresh process takes from nothing to the first token of an answer, part by part.
 * Every run is a process of its own, so that nothing is warm but the disk.
 */
import { spawnSync } from "node:child_process"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { defineCommand, exitCodes, type OptionValues } from "../../src/cli/command.ts"
import { count } from "../../src/cli/number-range.ts"
import { baseFolder, engineOptions } from "../../src/cli/shared-options.ts"
import { formatBytes } from "../../src/train/progress.ts"
import type { FirstTokenRun } from "./first-token-run.ts"
import { machine, machineLine } from "./machine.ts"
import { type Summary, summarise } from "./stats.ts"

const options = {
  base: engineOptions.base,
  backend: {
    type: "list",
    value: "name",
    description: "native, wasm or webgpu; may be given several times, and they take turns",
    default: "native and wasm",
  },
  threads: { ...engineOptions.threads, default: "as `espalier generate` has them" },
  runs: { type: "number", range: count(1e6), description: "runs measured of each backend", default: "10" },
  cold: { type: "boolean", description: "with an empty cache folder each time, as on a machine's first run" },
} as const
type Values = OptionValues<typeof options>

/** Parts that make up the load; what comes before them is code being loaded. */
const LOAD = ["base", "decoder", "token"]

const labels: Readonly<Record<string, string>> = {
  runtime: "the runtime starts",
  modules: "modules are loaded",
  engine: "the engine's library is loaded",
  base: "the base is opened",
  decoder: "the decoder is built",
  token: "the first token",
  load: "base to first token",
  all: "all of it",
}

/** Figures of one backend: milliseconds on the clock, and of the processor with all threads together. */
interface Figures {
  readonly backend: string
  readonly ms: Readonly<Record<string, Summary>>
  readonly cpuMs: Readonly<Record<string, Summary>>
  /** Bytes of the frozen weights, and the peak of resident memory. */
  readonly weights: number
  readonly peak: Summary
}

export const firstTokenBench = defineCommand({
  name: "first-token",
  summary: "Time of a fresh process to the first token, by its parts, and its peak of memory: medians.",
  usage: "[options]",
  options,
  examples: [
    "npm run bench -- first-token",
    "npm run bench -- first-token --backend wasm --threads 1",
    "npm run bench -- first-token --cold --json",
  ],
  async run(given, _positionals, io) {
    const values = given as Values & { readonly json?: boolean }
    const backends = values.backend ?? ["native", "wasm"]
    const count = values.runs ?? 10
    const folder = baseFolder(values.base)
    const runs = new Map<string, FirstTokenRun[]>(backends.map((backend) => [backend, []]))
    const where = machine()
    // The first turn fills the cache, and is left out.
    for (let turn = 0; turn < count + 1; turn++) {
      for (const [backend, each] of runs) {
        const run = oneRun(folder, backend, values.threads, values.cold === true)
        if (turn > 0) each.push(run)
      }
    }
    const figures = [...runs.values()].map(figuresOf)
    io.out(
      values.json
        ? `${JSON.stringify({ bench: "first-token", machine: where, cold: values.cold === true, runs: count, figures })}\n`
        : report(figures, where, count, values.cold === true),
    )
    return exitCodes.ok
  },
})

/** One run in a process of its own. @throws {Error} With what the process said, if it failed. */
function oneRun(folder: string, backend: string, threads: number | undefined, cold: boolean): FirstTokenRun {
  const cache = cold ? mkdtempSync(join(tmpdir(), "espalier-cold-")) : null
  try {
    const program = fileURLToPath(new URL("first-token-run.ts", import.meta.url))
    const { deno } = process.versions as Record<string, string | undefined>
    const { status, stdout, stderr } = spawnSync(
      process.execPath,
      [...(deno ? ["run", "--allow-all"] : []), program, folder, backend, String(threads ?? "")],
      { encoding: "utf8", env: { ...process.env, ...(cache !== null && { ESPALIER_CACHE: cache }) } },
    )
    if (status !== 0) throw new Error(`A run on ${backend} failed: ${stderr.trim()}`)
    return JSON.parse(stdout) as FirstTokenRun
  } finally {
    if (cache !== null) rmSync(cache, { recursive: true, force: true })
  }
}

/** Medians of parts, and of their sums run by run. */
function figuresOf(runs: readonly FirstTokenRun[]): Figures {
  const summed = (measure: "ms" | "cpuMs"): Record<string, Summary> => {
    const of = (names: readonly string[]): Summary =>
      summarise(
        runs.map(({ parts }) =>
          parts.filter(({ name }) => names.includes(name)).reduce((sum, part) => sum + part[measure], 0),
        ),
      )
    const names = runs[0]!.parts.map(({ name }) => name)
    return { ...Object.fromEntries(names.map((name) => [name, of([name])])), load: of(LOAD), all: of(names) }
  }
  const { backend, weights } = runs[0]!
  return { backend, ms: summed("ms"), cpuMs: summed("cpuMs"), weights, peak: summarise(runs.map(({ peak }) => peak)) }
}

function report(figures: readonly Figures[], where: ReturnType<typeof machine>, runs: number, cold: boolean): string {
  const lines = [
    machineLine(where),
    `Medians of ${runs} processes${cold ? ", each with an empty cache" : ""}; in brackets the processor's time, all threads together`,
  ]
  for (const { backend, ms, cpuMs, weights, peak } of figures) {
    lines.push("", backend)
    for (const [name, label] of Object.entries(labels)) {
      const { median, least, most } = ms[name]!
      const spread = name === "load" || name === "all" ? `  ${least.toFixed(0)} to ${most.toFixed(0)}` : ""
      lines.push(
        `  ${label.padEnd(32)}${median.toFixed(0).padStart(6)} ms  (${cpuMs[name]!.median.toFixed(0)} ms)${spread}`,
      )
    }
    const ratio = (peak.median / weights).toFixed(2)
    lines.push(
      `  peak of resident memory ${formatBytes(peak.median)}, ${ratio} times the weights' ${formatBytes(weights)}`,
    )
  }
  return `${lines.join("\n")}\n`
}
