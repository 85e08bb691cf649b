/**
 * @module The one interface to an ONNX engine. It takes bytes and weights and knows no graph: what the bytes compute is
 * `src/graph`'s business. A backend is one file beside this one and exports a {@link Backend}.
 */
import type { DType, PlacedWeight, Tensor } from "../core/tensor.ts"

/** Which lowering of a graph a runtime wants: see `src/graph/lower`. */
export type Lowering = "fused" | "standard"

/** Backends by name. */
export type BackendName = "native" | "wasm" | "webgpu"

/**
 * The frozen weights that models point into: one blob, held once where the backend can share it.
 * ONNX models name it by `location` in their external-data entries.
 */
export interface FrozenWeights {
  /** The sha256 of the blob, in hex: sessions and caches are keyed by it. */
  readonly hash: string
  /** The external-data location that models name, such as `weights.bin`. */
  readonly location: string
  /** Bytes of the blob. */
  readonly size: number
  /** Where it lies as a file, for backends that open it by path; null where there are no files. */
  readonly path: string | null
  /** The whole blob, for backends that copy it: the caller's own, which it may give back at once. */
  bytes(): Promise<Uint8Array>
  /**
   * A stretch of it, made at once and there until the next one is asked for: for backends that copy the blob bit by bit, where the
   * whole would be held for nothing else. @default there is only the whole
   */
  part?(offset: number, length: number): Uint8Array
  /** No further stretch is asked for, for now: what they lay in may be given back. @default nothing is held for them */
  partsDone?(): void
}

/** A tensor in an engine's own memory, as a GPU's: fed to any session of the runtime that made it, and never read here. */
export interface DeviceTensor {
  readonly dtype: DType
  readonly shape: readonly number[]
  /** What the engine knows it by. */
  readonly handle: object
  /** Gives its memory back. */
  dispose(): void
}

/** What an input of a session may be fed. */
export type Feed = Tensor | DeviceTensor

/** What a session is made of. */
export interface SessionSpec {
  /** A serialised ONNX ModelProto. */
  readonly model: Uint8Array
  /** The weights it points into, or null when it has none. */
  readonly weights: FrozenWeights | null
  /**
   * Inputs of the model that are such weights, f32 or f16, for a runtime that {@link Runtime.sharesWeights}: the session feeds
   * them itself. @default none: initializers of the model point into the blob
   */
  readonly shared?: readonly PlacedWeight[]
  /**
   * Let the engine repack weights for its kernels: faster at batch 1, but the session then holds a copy of its own.
   * @default {false}
   */
  readonly prepack?: boolean
  /** Outputs that stay in the engine's memory, for a runtime that has {@link Runtime.upload}. @default none */
  readonly keep?: readonly string[]
}

/** One compiled graph. Calls of `run` must not overlap. */
export interface Session {
  /**
   * Runs the graph once.
   * @param feeds a tensor for each input of the model
   * @param into tensors that outputs are to be written into, by output name (they may be feeds of the same run, as a KV
   *   cache is). A backend that can't write in place copies the result there instead.
   * @param kept gets the outputs that the session keeps in the engine's memory, by name; each is then the caller's to
   *   dispose. Left out, they are disposed
   * @returns every other output by name; those of `into` are the tensors given.
   */
  run(
    feeds: Readonly<Record<string, Feed>>,
    into?: Readonly<Record<string, Tensor>>,
    kept?: Map<string, DeviceTensor>,
  ): Promise<Record<string, Tensor>>
  /** Gives back the session's memory. Calling it twice is harmless. */
  dispose(): Promise<void>
}

/** An engine that is ready to make sessions. */
export interface Runtime {
  readonly name: BackendName
  /** For people: library, version, provider, threads. */
  readonly detail: string
  readonly lowering: Lowering
  readonly threads: number
  /** Whether the same feeds give the same bits in every run (same machine, same thread count). */
  readonly deterministic: boolean
  /**
   * Whether it multiplies by 8-bit weights on kernels of its own, with the other side rounded to 8 bits and the weights
   * repacked: several times as fast as making them f32 for each product.
   * @default {false}
   */
  readonly integerProducts?: boolean
  /** Whether it computes with weights of f16, where that is for the device to say. @default it does */
  takesF16?(): Promise<boolean>
  /**
   * Whether weights that are inputs of models lie in its own memory once, for all of its sessions.
   * @default {false}
   */
  readonly sharesWeights?: boolean
  createSession(spec: SessionSpec): Promise<Session>
  /** Lays an f32 tensor into the engine's own memory, where it has one apart from ours. */
  upload?(tensor: Tensor<"f32">): Promise<DeviceTensor>
  /**
   * Whether it can still compute, told without computing. @default it can
   * @throws {EspalierError} `unavailable` if what it computes on is gone, as a GPU that was lost
   */
  check?(): void
  dispose(): Promise<void>
}

/** Settings of an engine. */
export interface RuntimeOptions {
  /** Threads for one operator. @default the number of physical cores, at most 8 */
  readonly threads?: number
  /**
   * All there is to compute is short, tokens of a small base one after the other: WebAssembly then has one thread where nobody says how
   * many. @default {false}
   */
  readonly light?: boolean
  /** A folder for files the engine needs (graphs beside their weights). @default a folder under the cache folder */
  readonly workFolder?: string
  /** The folder, ending in a slash, where a page finds the WebAssembly of onnxruntime-web. @default beside its script */
  readonly engineUrl?: string
}

/** A backend: whether it can run here, and the way to open it. Nothing is loaded before one of the two is called. */
export interface Backend {
  readonly name: BackendName
  /** Whether this backend can run here; `reason` says why not, for people. */
  probe(): Promise<{ readonly ok: true } | { readonly ok: false; readonly reason: string }>
  /** @throws {EspalierError} `unavailable` if it can't run here. */
  open(options?: RuntimeOptions): Promise<Runtime>
}
