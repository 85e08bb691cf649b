/**
 * @module `bench memory`: what the planner says against what a process then takes, over methods, shapes and batches.
 */
import { spawnSync } from "node:child_process"
import { fileURLToPath } from "node:url"
import { methods } from "../../adapters/mod.ts"
import { defineCommand, exitCodes, type OptionValues } from "../../src/cli/command.ts"
import { engineOptions, quantizeSetting } from "../../src/cli/shared-options.ts"
import { EspalierError } from "../../src/core/errors.ts"
import { planServing } from "../../src/plan/serving.ts"
import { planTraining } from "../../src/plan/training.ts"
import { methodEnv } from "../../src/presets/method-env.ts"
import { formatBytes } from "../../src/train/progress.ts"
import { machine, machineLine } from "./machine.ts"
import { type MemoryRun, memoryRuns, openMemoryBase } from "./memory-cases.ts"

const options = {
  base: {
    type: "string",
    description: "runs over one base only",
    choices: [...new Set(memoryRuns.map(({ base }) => base))],
  },
  methods: { type: "boolean", description: "every method, over the embedded base, in place of the usual runs" },
  backend: { type: "string", description: "what computes", choices: ["native", "wasm"], default: "native" },
  quantize: engineOptions.quantize,
} as const
type Values = OptionValues<typeof options> & { readonly json?: boolean }

export const memoryBench = defineCommand({
  name: "memory",
  summary: "The planner's total against the peak of resident memory, each run in a process of its own.",
  usage: "[options]",
  options,
  examples: [
    "npm run bench -- memory",
    "npm run bench -- memory --base sprig",
    "npm run bench -- memory --base smollm2-135m --quantize f16",
    "npm run bench -- memory --methods --json",
  ],
  async run(given, _positionals, io) {
    const values = given as Values
    const backend = (values.backend ?? "native") as MemoryRun["backend"]
    const wanted = values.methods ? methods.map(({ name }) => everyMethod(name)) : memoryRuns
    const held = quantizeSetting(values.quantize)
    const runs = wanted
      .filter(({ base }) => values.base === undefined || base === values.base)
      // What trains the base's own weights has none that are held in fewer bits.
      .filter(({ method }) => held.quantize === undefined || method === null || methodOf(method).peft !== null)
    const where = machine()
    if (!values.json) {
      io.out(`${machineLine(where)}\n\n`)
      io.out("| base | method | batch | predicted | measured | error |\n|---|---|---|---|---|---|\n")
    }
    const errors: number[] = []
    for (const each of runs) {
      const run = { ...each, backend, ...held }
      const predicted = await predict(run)
      const measured = measure(run)
      const error = predicted / measured - 1
      errors.push(Math.abs(error))
      if (values.json) {
        io.out(
          `${JSON.stringify({ bench: "memory", ...run, machine: where, predicted_bytes: Math.round(predicted), peak_rss_bytes: measured, error })}\n`,
        )
        continue
      }
      const settings = Object.entries(run.settings).map(([name, value]) => ` ${name} ${value}`)
      const cells = [
        run.base,
        `${titleOf(run)}${settings.join("")}`,
        `${run.rows} x ${run.length}`,
        formatBytes(predicted),
        formatBytes(measured),
        percent(error),
      ]
      io.out(`| ${cells.join(" | ")} |\n`)
    }
    if (!values.json && errors.length > 0)
      io.out(
        `\nLargest error ${percent(Math.max(...errors))}, mean ${percent(errors.reduce((a, b) => a + b, 0) / errors.length)}\n`,
      )
    return exitCodes.ok
  },
})

const methodOf = (wanted: string) => methods.find(({ name }) => name === wanted)!

const titleOf = ({ method }: MemoryRun): string => method ?? "answering"

const everyMethod = (method: string): MemoryRun => ({
  base: "sprig",
  method,
  settings: {},
  rows: 8,
  length: 128,
  backend: "native",
})

/** The planner's total in bytes; packs the base too, so that this shows in no measurement. */
async function predict(run: MemoryRun): Promise<number> {
  const base = await openMemoryBase(run)
  const method = methodOf(run.method ?? "lora").prepare(run.settings)
  const env = methodEnv(base, null, 0)
  if (run.method === null) return planServing({ ...run, base, method, env, adapters: 0, sequences: run.rows }).total
  return planTraining({ ...run, base, method, env }).total
}

/** Peak of resident memory of a run in a process of its own, in bytes. */
function measure(run: MemoryRun): number {
  const script = fileURLToPath(new URL("memory-run.ts", import.meta.url))
  const child = spawnSync(process.execPath, [script, JSON.stringify(run)], { encoding: "utf8" })
  if (child.status !== 0) {
    throw new EspalierError(
      "internal",
      `The run of ${titleOf(run)} over ${run.base} failed: ${child.stderr.trim().slice(0, 500)}`,
    )
  }
  return (JSON.parse(child.stdout) as { peak_rss_bytes: number }).peak_rss_bytes
}

const percent = (part: number): string => `${(100 * part).toFixed(1)} %`
