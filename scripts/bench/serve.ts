/**
 * @module `bench serve`: an engine under load, over random weights in Llama's layout or a base of one's own: the base
 * alone and several LoRAs mixed in every batch, in turns.
 */
import { mkdtemp, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { defineCommand, exitCodes, type OptionValues } from "../../src/cli/command.ts"
import { above, count, whole } from "../../src/cli/number-range.ts"
import { EspalierError } from "../../src/core/errors.ts"
import { rng } from "../../src/core/rng.ts"
import type { LoadedAdapter } from "../../src/forms/form.ts"
import type { Base } from "../../src/models/base.ts"
import { type OpenBase, openBase } from "../../src/presets/open-base.ts"
import { openRuntime } from "../../src/presets/open-runtime.ts"
import { createEngine } from "../../src/serve/engine.ts"
import { graphDecoder } from "../../src/serve/graph-decoder.ts"
import type { Tokenizer } from "../../src/text/tokenizer-contract.ts"
import { randomLora } from "../random-lora.ts"
import type { Load, LoadFigures } from "./load.ts"
import { machine, machineLine } from "./machine.ts"
import { peerAdapters, peerModel, randomFolder } from "./peers/files.ts"
import { findPeer } from "./peers/installed.ts"
import { type PeerName, peerNames } from "./peers/peer.ts"
import { startPeer } from "./peers/process.ts"
import { randomBase } from "./random-source.ts"
import { type SideFigures, serveTable } from "./serve-table.ts"
import { computedBy, shapeOf, shapeOptions } from "./shape-options.ts"
import { engineSide, peerSide, type Side } from "./side.ts"

const options = {
  ...shapeOptions,
  base: { type: "string", value: "folder", description: "a base", default: "random weights of the shape" },
  clients: { type: "number", range: count(10_000), description: "clients that ask at once", default: "8" },
  requests: { type: "number", range: count(1e6), description: "requests of a round", default: "16" },
  rate: {
    type: "number",
    range: above(0, 1e6),
    value: "per second",
    description: "requests come at random moments instead",
  },
  adapters: { type: "number", range: whole(0, 100_000), description: "LoRAs that requests draw from", default: "8" },
  rank: { type: "number", range: count(65_536), description: "their rank", default: "8" },
  targets: { type: "string", description: "their target layers: all, or names with commas", default: "all" },
  prompt: { type: "number", range: count(2 ** 20), value: "tokens", description: "length of a prompt", default: "64" },
  output: { type: "number", range: count(2 ** 20), value: "tokens", description: "length of an answer", default: "64" },
  rounds: { type: "number", range: count(1e6), description: "rounds of each kind", default: "3" },
  peer: { type: "string", description: "the same work by another library, side by side", choices: peerNames },
  "peer-path": {
    type: "string",
    value: "folder",
    description: "where the peer was installed",
    default: "NODE_PATH, or this project's own node_modules",
  },
  "peer-threads": { type: "number", range: count(1024), description: "the peer's threads", default: "as --threads" },
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
    "npm run bench -- serve --base models/sprig --peer transformers.js",
    "npm run bench -- serve --peer node-llama-cpp --peer-path peers --quantize int4",
  ],
  async run(given, _positionals, io) {
    const values = given as Values & { readonly json?: boolean }
    const where = machine()
    const load = loadOf(values)
    const scratch = await mkdtemp(join(tmpdir(), "espalier-bench-"))
    const sides: Side[] = []
    try {
      const { side, open, adapters, config } = await ourSide(values, load.clients)
      sides.push(side)
      if (values.peer !== undefined) {
        if (!open) throw new TypeError("A peer needs a base that lies in a folder")
        sides.push(await startPeerSide(values, open, adapters, scratch, load))
      }
      const found = await measure(sides, { ...load, vocab: config.vocabSize }, [...adapters.keys()], values)
      io.out(
        values.json
          ? `${JSON.stringify({ bench: "serve", machine: where, backend: side.detail, ...load, ...jsonOf(found) })}\n`
          : [
              machineLine(where),
              `${side.detail}; hidden ${config.hiddenSize}, ${config.layers} layers, vocabulary ${config.vocabSize}`,
              `${load.requests} requests of ${load.prompt} + ${load.output} tokens, ${load.rate === null ? `${load.clients} clients` : `${load.rate} a second`}, medians of ${values.rounds ?? 3} rounds`,
              "",
              ...serveTable(found),
              "",
            ].join("\n"),
      )
    } finally {
      for (const side of sides) await side.close()
      await rm(scratch, { recursive: true, force: true })
    }
    return exitCodes.ok
  },
})

const loadOf = (values: Values) => ({
  requests: values.requests ?? 16,
  clients: values.clients ?? 8,
  rate: values.rate ?? null,
  prompt: values.prompt ?? 64,
  output: values.output ?? 64,
})

/** Our engine with its adapters. */
async function ourSide(values: Values, clients: number) {
  const { backend, threads, quantize } = computedBy(values)
  // A peer reads the same weights from a folder.
  const folder = values.base ?? (values.peer === undefined ? null : await randomFolder(shapeOf(values)))
  const open = folder === null ? null : await openBase(folder, quantize ? { quantize } : {})
  const base = open?.base ?? (await randomBase(shapeOf(values), quantize))
  const { runtime } = await openRuntime(backend, threads === null ? {} : { threads })
  const engine = createEngine({
    base: base.name,
    baseHash: base.hash,
    backend: `${runtime.name} (${runtime.detail}), ${quantize ?? "f32"} weights`,
    // What is kept of earlier prompts would never be found: all are drawn anew.
    decoder: await graphDecoder({ runtime, base, prefixCacheBytes: 0 }),
    tokenizer: open?.tokenizer ?? numbers(base.config.vocabSize),
    scheduler: { maxActive: Math.min(clients, 32), maxWaiting: 4096 },
  })
  const adapters = new Map<string, LoadedAdapter>()
  for (let i = 0; i < (values.adapters ?? 8); i++) {
    const adapter = benchLora(base, i, values)
    adapters.set(`lora-${i}`, adapter)
    await engine.load(`lora-${i}`, { adapter })
  }
  const side = engineSide(engine, adapters)
  const close = async (): Promise<void> => {
    await side.close()
    await runtime.dispose()
  }
  return { side: { ...side, close }, open, adapters, config: base.config }
}

/** The peer over the same weights. */
async function startPeerSide(
  values: Values,
  open: OpenBase,
  adapters: ReadonlyMap<string, LoadedAdapter>,
  scratch: string,
  load: ReturnType<typeof loadOf>,
): Promise<Side> {
  const peer = values.peer as PeerName
  const { quantize, threads } = computedBy(values)
  const entry = findPeer(peer, values["peer-path"])
  const hasAdapters = peer === "node-llama-cpp" && adapters.size > 0
  if (peer === "transformers.js" && quantize !== null)
    throw new EspalierError("unsupported", "transformers.js is measured in f32 only: --to onnx writes no other", {
      param: "quantize",
    })
  const child = await startPeer({
    ...{ peer, entry, clients: load.clients, threads: values["peer-threads"] ?? threads },
    model: await peerModel(peer, values.base ?? (await randomFolder(shapeOf(values))), quantize),
    adapters: hasAdapters ? await peerAdapters(open, adapters, scratch) : [],
    context: load.prompt + load.output + 8,
  })
  return peerSide(peer, child, hasAdapters)
}

/** Rounds in turn, so that a slower moment of the machine strikes all alike. */
async function measure(
  sides: readonly Side[],
  load: Omit<Load, "models" | "seed">,
  names: readonly string[],
  values: Values,
): Promise<Map<string, SideFigures>> {
  const kindsOf = ({ hasAdapters }: Side): (readonly [string, readonly (string | null)[]])[] => [
    ["the base", [null]],
    ...(hasAdapters ? [[`${names.length} LoRAs of rank ${values.rank ?? 8}`, names] as const] : []),
  ]
  const rounds = new Map(sides.map((side) => [side, new Map<string, LoadFigures[]>()]))
  for (const side of sides)
    for (const [, models] of kindsOf(side)) await side.load({ ...load, requests: load.clients, models, seed: -1 })
  for (let seed = 0; seed < (values.rounds ?? 3); seed++)
    for (const side of sides)
      for (const [kind, models] of kindsOf(side)) {
        const kinds = rounds.get(side)!
        kinds.set(kind, [...(kinds.get(kind) ?? []), await side.load({ ...load, models, seed })])
      }
  const found = new Map<string, SideFigures>()
  for (const [side, kinds] of rounds) {
    const { label, detail } = side
    found.set(label, { detail, kinds, memory: side.memory(), swap: await side.swap() })
  }
  return found
}

/** Our side's figures where they always stood, and each side's by its name. */
function jsonOf(found: ReadonlyMap<string, SideFigures>) {
  const all = [...found].map(([label, { detail, kinds, memory, swap }]) => ({
    ...{ label, detail, figures: Object.fromEntries(kinds), ...memory, swap_ms: swap },
  }))
  const { figures, resident_bytes, peak_bytes, swap_ms } = all[0]!
  return { figures, resident_bytes, peak_bytes, swap_ms, sides: all }
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
