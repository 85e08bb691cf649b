/**
 * @module `bench serve`: an engine under load, over random weights in Llama's layout or a base of one's own: the base
 * alone and several LoRAs mixed in every batch, in turns.
 */
import { defineCommand, exitCodes, type OptionValues } from "../../src/cli/command.ts"
import { rng } from "../../src/core/rng.ts"
import type { LoadedAdapter } from "../../src/forms/form.ts"
import type { Base } from "../../src/models/base.ts"
import { openBase } from "../../src/presets/open-base.ts"
import { openRuntime } from "../../src/presets/open-runtime.ts"
import { createEngine } from "../../src/serve/engine.ts"
import { graphDecoder } from "../../src/serve/graph-decoder.ts"
import type { Tokenizer } from "../../src/text/tokenizer-contract.ts"
import { formatBytes } from "../../src/train/progress.ts"
import { randomLora } from "../random-lora.ts"
import { type LoadFigures, runLoad } from "./load.ts"
import { machine, machineLine, peakMemory } from "./machine.ts"
import { randomBase } from "./random-source.ts"
import { computedBy, shapeOf, shapeOptions } from "./shape-options.ts"
import { summarise } from "./stats.ts"

const options = {
  ...shapeOptions,
  base: { type: "string", value: "folder", description: "a base", default: "random weights of the shape" },
  clients: { type: "number", description: "clients that ask at once", default: "8" },
  requests: { type: "number", description: "requests of a round", default: "16" },
  rate: { type: "number", value: "per second", description: "requests come at random moments instead" },
  adapters: { type: "number", description: "LoRAs that requests draw from", default: "8" },
  rank: { type: "number", description: "their rank", default: "8" },
  targets: { type: "string", description: "their target layers: all, or names with commas", default: "all" },
  prompt: { type: "number", value: "tokens", description: "length of a prompt", default: "64" },
  output: { type: "number", value: "tokens", description: "length of an answer", default: "64" },
  rounds: { type: "number", description: "rounds of each kind", default: "3" },
} as const
type Values = OptionValues<typeof options>

export const serveBench = defineCommand({
  name: "serve",
  summary: "Throughput, time to first token and between tokens under load: the base, and LoRAs mixed in each batch.",
  usage: "[options]",
  options,
  examples: [
    "npm run bench -- serve --base models/sprig",
    "npm run bench -- serve --clients 1 --adapters 1",
    "npm run bench -- serve --quantize int4 --json",
    "npm run bench -- serve --base models/sprig --rate 20 --requests 200",
  ],
  async run(given, _positionals, io) {
    const values = given as Values & { readonly json?: boolean }
    const { backend, threads, quantize } = computedBy(values)
    const where = machine()
    const open = values.base === undefined ? null : await openBase(values.base, quantize ? { quantize } : {})
    const base = open?.base ?? (await randomBase(shapeOf(values), quantize))
    const { runtime } = await openRuntime(backend, threads === null ? {} : { threads })
    const clients = values.clients ?? 8
    const engine = createEngine({
      base: base.name,
      baseHash: base.hash,
      backend: `${runtime.name} (${runtime.detail}), ${quantize ?? "f32"} weights`,
      // What is kept of earlier prompts would never be found: all are drawn anew.
      decoder: await graphDecoder({ runtime, base, prefixCacheBytes: 0 }),
      tokenizer: open?.tokenizer ?? numbers(base.config.vocabSize),
      scheduler: { maxActive: Math.min(clients, 32), maxWaiting: 4096 },
    })
    const names: string[] = []
    for (let i = 0; i < (values.adapters ?? 8); i++) {
      names.push(`lora-${i}`)
      await engine.load(names[i]!, { adapter: benchLora(base, i, values) })
    }
    const kinds: readonly (readonly [string, readonly (string | null)[]])[] = [
      ["the base", [null]],
      ...(names.length > 0 ? [[`${names.length} LoRAs of rank ${values.rank ?? 8}`, names] as const] : []),
    ]
    const figures = new Map<string, LoadFigures[]>()
    const load = {
      requests: values.requests ?? 16,
      clients,
      rate: values.rate ?? null,
      prompt: values.prompt ?? 64,
      output: values.output ?? 64,
      vocab: base.config.vocabSize,
    }
    for (const [, models] of kinds) await runLoad(engine, { ...load, requests: clients, models, seed: -1 })
    for (let round = 0; round < (values.rounds ?? 3); round++)
      for (const [kind, models] of kinds) {
        const found = await runLoad(engine, { ...load, models, seed: round })
        figures.set(kind, [...(figures.get(kind) ?? []), found])
      }
    const memory = { resident_bytes: process.memoryUsage.rss(), peak_bytes: peakMemory() }
    const backendName = engine.info.backend
    await engine.close()
    await runtime.dispose()
    if (values.json) {
      io.out(
        `${JSON.stringify({ bench: "serve", machine: where, backend: backendName, ...load, figures: Object.fromEntries(figures), ...memory })}\n`,
      )
      return exitCodes.ok
    }
    const { layers, hiddenSize, vocabSize } = base.config
    io.out(
      [
        machineLine(where),
        `${backendName}; hidden ${hiddenSize}, ${layers} layers, vocabulary ${vocabSize}`,
        `${load.requests} requests of ${load.prompt} + ${load.output} tokens, ${load.rate === null ? `${clients} clients` : `${load.rate} a second`}, medians of ${values.rounds ?? 3} rounds`,
        "",
        ...table(figures),
        "",
        `resident ${formatBytes(memory.resident_bytes)}, at the peak ${formatBytes(memory.peak_bytes)}`,
        "",
      ].join("\n"),
    )
    return exitCodes.ok
  },
})

/** A line for each kind, and how it compares with the first. */
function table(figures: ReadonlyMap<string, readonly LoadFigures[]>): string[] {
  const median = (rounds: readonly LoadFigures[], of: (round: LoadFigures) => number): number =>
    summarise(rounds.map(of)).median
  const lines = [`${"".padEnd(24)}tokens/s   first token ms (p50 p95 p99)   between tokens ms (p50 p95 p99)   refused`]
  const [reference] = figures.values()
  for (const [kind, rounds] of figures) {
    const ratio =
      median(rounds, (round) => round.tokensPerSecond) / median(reference!, (round) => round.tokensPerSecond)
    const spread = (of: "firstToken" | "betweenTokens"): string =>
      (["median", "p95", "p99"] as const).map((part) => median(rounds, (round) => round[of][part]).toFixed(1)).join(" ")
    const refused = rounds.reduce((sum, round) => sum + round.refused, 0)
    lines.push(
      `${kind.padEnd(24)}${median(rounds, (round) => round.tokensPerSecond)
        .toFixed(1)
        .padStart(
          8,
        )}   ${spread("firstToken").padEnd(28)}   ${spread("betweenTokens").padEnd(31)}   ${refused}${rounds === reference ? "" : `   x ${ratio.toFixed(2)}`}`,
    )
  }
  return lines
}

function benchLora(base: Base, i: number, { rank = 8, targets = "all" }: Values): LoadedAdapter {
  const wanted = targets === "all" ? null : targets.split(",").map((name) => name.trim())
  return randomLora(base, {
    random: rng(i, "bench:adapter"),
    hash: `random ${i}`,
    rank,
    scale: 1,
    stdA: () => 0.01,
    stdB: 0.01,
    targets: wanted,
  })
}

/** A tokenizer of numbers, for bases that have none. */
function numbers(vocabSize: number): Tokenizer {
  const text = (id: number): string => ` ${id}`
  return {
    vocabSize,
    bosId: null,
    eosId: null,
    padId: null,
    hasChatTemplate: false,
    byteLevel: true,
    encode: (words) => words.trim().split(/\s+/).map(Number),
    decode: (ids) => ids.map(text).join(""),
    tokenText: text,
    tokenBytes: (id) => new TextEncoder().encode(text(id)),
    isSpecial: () => false,
    renderChat: () => "",
  }
}
