/**
 * @module The memory of a server, part by part: one base, adapters that are ready, sequences in flight.
 */
import { sizeOf } from "../core/tensor.ts"
import type { MethodEnv, PreparedMethod, SiteParameters } from "../method.ts"
import type { Base } from "../models/base.ts"
import { holdsCodes } from "../models/quantization.ts"
import { decodeGraph } from "../serve/decode-graph.ts"
import { headGraph } from "../serve/own-tables.ts"
import { parametersOf } from "../train/train-graph.ts"
import { calibrations } from "./calibration.ts"
import { graphMemory } from "./graph-memory.ts"
import { type MemoryPart, sumOf } from "./parts.ts"

/** What a server is planned for. */
export interface ServingPlanOptions {
  /** Its weights are not read. */
  readonly base: Base
  readonly method: PreparedMethod
  readonly env: MethodEnv
  /** Adapters of that method that are ready at once. */
  readonly adapters: number
  /** Sequences in flight at once. */
  readonly sequences: number
  /** Positions of each. */
  readonly length: number
  readonly backend: "native" | "wasm"
}

/** The memory of a server at its peak. */
export interface ServingPlan {
  readonly parts: readonly MemoryPart[]
  readonly total: number
}

/** Plans a server. A method that leaves a base of its own behind has no adapters. */
export function planServing({
  base,
  method,
  env,
  adapters,
  sequences,
  length,
  backend,
}: ServingPlanOptions): ServingPlan {
  const constants = calibrations[backend]
  const { layers, kvHeads, headDim } = base.config
  const resident = method.peftType === null ? 0 : adapters
  const repacks = backend === "native" && holdsCodes(base.quantization)
  const graph = decodeGraph(base, { embeds: false, features: new Set() }, length, {
    roundInputs: repacks,
    headsApart: true,
  })
  // A prompt is read whole at most, or each sequence gets a token.
  const reading = graphMemory(graph, { B: 1, T: length, P: length, R: 1 })
  const stepping = graphMemory(graph, { B: sequences, T: 1, P: length, R: sequences })
  const memory = { ...reading, activations: Math.max(reading.activations, stepping.activations) }
  // The base alone, and one graph for adapters of a kind.
  const sessions = resident > 0 ? 2 : 1
  const position = 2 * layers * kvHeads * headDim * 4
  const stored = resident > 0 ? 4 * sumOf(parametersOf(method.stored(env)).map(({ shape }) => sizeOf(shape))) : 0
  const cache = position * length
  const table = 4 * base.config.vocabSize * base.config.hiddenSize
  const head = resident > 0 ? ownHeadOf(method.stored(env)) : null
  // A graph of its own, whose weight is fed: WebAssembly has a copy of it in its own memory.
  const scoring = head && graphMemory(headGraph(base), { R: sequences })
  const fed = scoring && backend === "wasm" ? table : 0
  // A table that is the output layer as well lies in the file's pages for the one and repacked for the other.
  const twice = backend === "native" && base.quantization === undefined && base.config.tiedHead ? table : 0
  const parts: MemoryPart[] = [
    {
      name: "weights",
      bytes: sessions * (memory.weights * constants.weightCopies * (repacks ? constants.repacked : 1) + twice),
    },
    // As read from the file, and as it is fed, with its scale multiplied in; virtual tokens as keys and values; rows of an output
    // layer as the whole of it.
    {
      name: "adapters",
      bytes: resident * (2 * stored + position * method.virtualTokens + (head === "rows" ? table : 0)),
    },
    // One for each sequence; WebAssembly has a copy of what it reads in its own memory. Where a prompt is read whole, its
    // rows are in the engine's caches, in its output and in what it hands out. Measured on native, by position: 17 kB of 6
    // (hidden 256, 6 layers, 512 and 2,000 positions), 133 of 46 (SmolLM2-135M's shape, 64 and 512) beside the cache itself.
    { name: "kv-cache", bytes: cache * (sequences * (backend === "wasm" ? 2 : 1) + 3) },
    {
      name: "activations",
      bytes: constants.arena * (memory.activations * sessions + (scoring?.activations ?? 0)) + fed,
    },
    {
      name: "engine",
      bytes: constants.process + constants.perNode * (memory.nodes * sessions + (scoring?.nodes ?? 0)),
    },
  ]
  return { parts, total: sumOf(parts.map(({ bytes }) => bytes)) }
}

/** Whether adapters have an output layer of their own, by what is trained where the base's stands: all of it, or rows of tokens. */
function ownHeadOf(stored: readonly SiteParameters[]): "whole" | "rows" | null {
  const isHead = ({ kind, role }: { readonly kind: string; readonly role?: string }): boolean =>
    kind === "tied_head" || (kind === "linear" && role === "head")
  const starts = stored.filter(({ site }) => isHead(site)).flatMap(({ params }) => params.map(({ init }) => init.kind))
  if (starts.includes("rows")) return "rows"
  return starts.includes("weight") ? "whole" : null
}
