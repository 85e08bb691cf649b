/**
 * @module `bench swap`: what an adapter adds to the time of a first token, on a base and an adapter of one's own or on
 * the embedded base with LoRA of random factors.
 */
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { defineCommand, exitCodes, type OptionValues } from "../../src/cli/command.ts"
import { count } from "../../src/cli/number-range.ts"
import { baseFolder, engineOptions, engineSettings } from "../../src/cli/shared-options.ts"
import { openBase } from "../../src/presets/open-base.ts"
import { openEngine } from "../../src/presets/open-engine.ts"
import type { EngineApi } from "../../src/serve/engine-api.ts"
import { writeRandomLora } from "../random-lora.ts"
import { machine, machineLine } from "./machine.ts"
import { summarise, timeRuns } from "./stats.ts"

const options = {
  ...engineOptions,
  adapter: {
    type: "string",
    value: "folder",
    description: "the adapter",
    default: "LoRA of rank 8 with random factors",
  },
  runs: { type: "number", range: count(1e6), description: "runs measured", default: "50" },
} as const
type Values = OptionValues<typeof options>

const PROMPT = "Mira bought 3 apples in Talon. Who bought apples?"

/** Milliseconds from a request to its first token. */
async function firstToken(engine: EngineApi, adapter: string | null): Promise<void> {
  const input = engine.info.hasChatTemplate ? { messages: [{ role: "user", content: PROMPT }] } : { text: PROMPT }
  const generation = await engine.generate({ prompts: [input], adapter, maxTokens: 1, sampling: { temperature: 0 } })
  for await (const event of generation.events) if (event.type === "finish") return
}

export const swapBench = defineCommand({
  name: "swap",
  summary: "Time to the first token: the base, a resident adapter, an adapter loaded from disk by the request before.",
  usage: "[options]",
  options,
  examples: ["npm run bench -- swap", "npm run bench -- swap --adapter adapters-out/answer-card-lora --json"],
  async run(given, _positionals, io) {
    const values = given as Values & { readonly json?: boolean }
    const count = values.runs ?? 50
    const folder = mkdtempSync(join(tmpdir(), "espalier-bench-"))
    try {
      const adapter = values.adapter ?? join(folder, "random")
      if (values.adapter === undefined)
        await writeRandomLora(await openBase(baseFolder(values.base)), adapter, { seed: 0, std: 0.02 })
      const engine = await openEngine(engineSettings(values))
      await engine.load("resident", { path: adapter })
      const times: Record<"base" | "resident" | "fromDisk", number[]> = { base: [], resident: [], fromDisk: [] }
      // One after the other in turn, so that a slower moment of the machine strikes all three alike.
      for (let i = 0; i < count + 5; i++) {
        const [base] = await timeRuns(() => firstToken(engine, null), { warmup: 0, count: 1 })
        const [resident] = await timeRuns(() => firstToken(engine, "resident"), { warmup: 0, count: 1 })
        const [fromDisk] = await timeRuns(
          async () => {
            await engine.load("loaded", { path: adapter }, { replace: true })
            await firstToken(engine, "loaded")
          },
          { warmup: 0, count: 1 },
        )
        if (i < 5) continue
        times.base.push(base!)
        times.resident.push(resident!)
        times.fromDisk.push(fromDisk!)
      }
      const figures = {
        base: summarise(times.base),
        resident: summarise(times.resident),
        fromDisk: summarise(times.fromDisk),
      }
      const where = machine()
      if (values.json)
        io.out(`${JSON.stringify({ bench: "swap", machine: where, backend: engine.info.backend, ms: figures })}\n`)
      else {
        const line = (name: string, ms: number): string =>
          `${name.padEnd(36)}${ms.toFixed(2)} ms (+${(ms - figures.base.median).toFixed(2)})\n`
        io.out(`${machineLine(where)}\n${engine.info.backend}\nTo the first token, medians of ${count}:\n`)
        io.out(line("the base", figures.base.median))
        io.out(line("a resident adapter", figures.resident.median))
        io.out(line("an adapter, loaded from disk first", figures.fromDisk.median))
      }
      await engine.close()
      return exitCodes.ok
    } finally {
      rmSync(folder, { recursive: true, force: true })
    }
  },
})
