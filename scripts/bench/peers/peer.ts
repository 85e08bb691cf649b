/**
 * @module What a peer is to a benchmark: another library that answers the same requests over the same weights.
 */
import type { Quantization } from "../../../src/models/quantization.ts"
import type { Load, LoadFigures, Target } from "../load.ts"

/** Peers by the names of their packages' folders. */
export const peerNames = ["node-llama-cpp", "transformers.js"] as const

/** A peer's name. */
export type PeerName = (typeof peerNames)[number]

/** What a peer is opened with. */
export interface PeerSettings {
  readonly peer: PeerName
  /** The package's entry, as it was found. */
  readonly entry: string
  /** A GGUF file, or a folder of transformers.js. */
  readonly model: string
  /** GGUF files of the LoRAs, by their names; empty for a peer that has none. */
  readonly adapters: readonly (readonly [name: string, path: string])[]
  /** Null takes the peer's own. */
  readonly threads: number | null
  readonly clients: number
  /** Positions for prompt and answer together. */
  readonly context: number
}

/** A peer that has loaded. */
export interface OpenPeer extends Target {
  /** Name, version and what it computes with. */
  readonly detail: string
  /** Puts another adapter in the place of one; null where it has none. */
  readonly swap: (() => Promise<void>) | null
}

/** What the peer's process is told. */
export type PeerOrder =
  | { readonly type: "open"; readonly settings: PeerSettings }
  | { readonly type: "load"; readonly load: Load }
  | { readonly type: "swap"; readonly count: number }

/** What it answers. */
export type PeerReply =
  | { readonly type: "opened"; readonly detail: string }
  | { readonly type: "figures"; readonly figures: LoadFigures; readonly resident: number; readonly peak: number }
  | { readonly type: "swapped"; readonly ms: readonly number[] | null }
  | { readonly type: "failed"; readonly message: string }

/** How GGUF names what a base's layers, and its token embedding and output layer, are held in: in the bits that ours have. */
export const ggufTypes: Readonly<
  Record<Quantization | "f32", { readonly layers: GgufType; readonly tables: GgufType }>
> = {
  f32: { layers: "F32", tables: "F32" },
  f16: { layers: "F16", tables: "F16" },
  int8: { layers: "Q8_0", tables: "Q8_0" },
  int4: { layers: "Q4_0", tables: "Q8_0" },
  "int4-pure": { layers: "Q4_0", tables: "Q4_0" },
}
type GgufType = "F32" | "F16" | "Q8_0" | "Q4_0"
