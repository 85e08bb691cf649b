/**
 * @module `bench registered`: whether an engine that has many adapters loaded is as quick as one that has few. The same load,
 * with requests drawn from all that are loaded, round by round in turn.
 */
import { defineCommand, exitCodes, type OptionValues } from "../../src/cli/command.ts"
import { count } from "../../src/cli/number-range.ts"
import { engineOptions, engineSettings } from "../../src/cli/shared-options.ts"
import { EspalierError } from "../../src/core/errors.ts"
import { rng } from "../../src/core/rng.ts"
import { type OpenBase, openBase } from "../../src/presets/open-base.ts"
import { openRuntime } from "../../src/presets/open-runtime.ts"
import type { Runtime } from "../../src/runtime/runtime.ts"
import { createEngine } from "../../src/serve/engine.ts"
import type { EngineApi } from "../../src/serve/engine-api.ts"
import { graphDecoder } from "../../src/serve/graph-decoder.ts"
import { randomLora } from "../random-lora.ts"
import { engineTarget, type LoadFigures, runLoad } from "./load.ts"
import { machine, machineLine } from "./machine.ts"
import { type Summary, summarise } from "./stats.ts"

const options = {
  ...engineOptions,
  counts: { type: "string", value: "numbers", description: "adapters loaded, with commas", default: "8,64,1000" },
  rank: { type: "number", range: count(65_536), description: "their rank", default: "8" },
  clients: { type: "number", range: count(10_000), description: "clients that ask at once", default: "8" },
  requests: { type: "number", range: count(1e6), description: "requests of a round", default: "64" },
  prompt: { type: "number", range: count(2 ** 20), value: "tokens", description: "length of a prompt", default: "32" },
  output: { type: "number", range: count(2 ** 20), value: "tokens", description: "length of an answer", default: "32" },
  rounds: { type: "number", range: count(1e6), description: "rounds of each", default: "5" },
} as const
type Values = OptionValues<typeof options>

/** What was found of one number of adapters. */
interface Found {
  readonly count: number
  readonly rounds: readonly LoadFigures[]
  readonly rate: Summary
  /** Of its rounds' rates to those of the first number's, each beside the other. */
  readonly ratio: Summary
}

export const registeredBench = defineCommand({
  name: "registered",
  summary: "Throughput with 8 and with 1,000 adapters loaded, requests drawn from all of them.",
  usage: "[options]",
  options,
  examples: ["npm run bench -- registered", "npm run bench -- registered --counts 8,1000 --threads 1 --json"],
  async run(given, _positionals, io) {
    const values = given as Values & { readonly json?: boolean }
    const where = machine()
    const counts = countsOf(values.counts ?? "8,64,1000")
    const { base, backend, threads, quantize } = engineSettings(values)
    const open = await openBase(base, quantize ? { quantize } : {})
    const { runtime } = await openRuntime(backend, threads === undefined ? {} : { threads })
    try {
      const found = await measure(open, runtime, counts, values)
      if (values.json) {
        io.out(
          `${JSON.stringify({ bench: "registered", machine: where, backend: runtime.detail, base: open.base.name, found })}\n`,
        )
        return exitCodes.ok
      }
      const lines = found.map(({ count, rate, ratio }) =>
        [
          String(count).padEnd(10),
          `${rate.median.toFixed(1)} (${rate.least.toFixed(1)} to ${rate.most.toFixed(1)})`.padEnd(28),
          `x ${ratio.median.toFixed(3)}`,
        ].join(""),
      )
      io.out(
        [
          machineLine(where),
          `${runtime.name} (${runtime.detail}); ${open.base.name}, LoRAs of rank ${values.rank ?? 8}`,
          `${values.requests ?? 64} requests of ${values.prompt ?? 32} + ${values.output ?? 32} tokens, ${values.clients ?? 8} clients, ${values.rounds ?? 5} rounds`,
          "",
          `${"loaded".padEnd(10)}${"tokens/s".padEnd(28)}of the first`,
          ...lines,
          "",
        ].join("\n"),
      )
      return exitCodes.ok
    } finally {
      await runtime.dispose()
    }
  },
})

function countsOf(text: string): number[] {
  const counts = text.split(",").map(Number)
  if (counts.every((count) => Number.isInteger(count) && count > 0)) return counts
  throw new EspalierError("invalid_request", `Expected numbers of adapters with commas but found "${text}"`, {
    param: "counts",
  })
}

async function measure(
  open: OpenBase,
  runtime: Runtime,
  counts: readonly number[],
  values: Values,
): Promise<readonly Found[]> {
  const { base, tokenizer } = open
  if (!tokenizer) throw new EspalierError("unsupported", `Base "${base.name}" has no tokenizer.json`)
  const clients = values.clients ?? 8
  const sides: { count: number; engine: EngineApi; names: readonly string[]; rounds: LoadFigures[] }[] = []
  for (const count of counts) {
    const engine = createEngine({
      ...{ base: base.name, baseHash: base.hash, backend: runtime.name, tokenizer, maxAdapters: count },
      decoder: await graphDecoder({ runtime, base, prefixCacheBytes: 0 }),
      scheduler: { maxActive: clients, maxWaiting: 4096 },
    })
    const names = Array.from({ length: count }, (_, i) => `lora-${i}`)
    for (const [i, name] of names.entries()) {
      const adapter = randomLora(base, {
        ...{ random: rng(i, "bench:adapter"), hash: `random ${i}`, rank: values.rank ?? 8, scale: 1 },
        ...{ stdA: () => 0.01, stdB: 0.01, targets: null },
      })
      await engine.load(name, { adapter })
    }
    sides.push({ count, engine, names, rounds: [] })
  }
  const load = {
    ...{ requests: values.requests ?? 64, clients, rate: null, vocab: base.config.vocabSize },
    ...{ prompt: values.prompt ?? 32, output: values.output ?? 32 },
  }
  const round = ({ engine, names }: (typeof sides)[number], seed: number): Promise<LoadFigures> =>
    runLoad(engineTarget(engine), { ...load, models: names, seed })
  for (const side of sides) await round(side, -1)
  for (let seed = 0; seed < (values.rounds ?? 5); seed++) {
    // Now this one first, now that one: a machine that grows slower strikes all alike.
    for (const side of seed % 2 === 0 ? sides : sides.toReversed()) side.rounds.push(await round(side, seed))
  }
  for (const { engine } of sides) await engine.close()
  const first = sides[0]!.rounds
  return sides.map(({ count, rounds }) => ({
    count,
    rounds,
    rate: summarise(rounds.map(({ tokensPerSecond }) => tokensPerSecond)),
    ratio: summarise(rounds.map(({ tokensPerSecond }, i) => tokensPerSecond / first[i]!.tokensPerSecond)),
  }))
}
