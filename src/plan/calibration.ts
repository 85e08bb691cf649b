/**
 * @module What a process takes beside the tensors that can be counted: constants that were measured, with the measurement.
 * All on Linux x64, Bun 1.4.5, onnxruntime 1.30, resident memory (VmHWM and its parts) of processes that did nothing else.
 */

const MB = 2 ** 20

/** What does not follow from shapes, by backend. */
export interface Calibration {
  /** Runtime, program and engine, before any graph. */
  readonly process: number
  /** What `espalier train` has beside: tokenizer and templates, its check of gradients, what scoring has left behind. */
  readonly command: number
  /** For each node of a session's graph: the engine's records, and what building the graph leaves behind. */
  readonly perNode: number
  /** What the engine's allocator has touched, for each byte of values that are needed at the peak. */
  readonly arena: number
  /** Copies of the frozen weights that one session holds: mapped pages count for each session that maps them. */
  readonly weightCopies: number
  /** Copies of what is trained that a session makes for itself. */
  readonly feedCopies: number
  /** Bytes of 8-bit weights as a decoder's kernels repack them, for each byte as they lie in the file. */
  readonly repacked: number
  /** The most that can be addressed; null where it is the machine's. */
  readonly limit: number | null
}

export const calibrations: Readonly<Record<"native" | "wasm", Calibration>> = {
  native: {
    // Runs of five shapes, from 243 to 371 MiB: what was left beside all that is counted, 77 to 86 MiB. Of it 64 lie in
    // files (the runtime's program 38, the engine's 26).
    process: 80 * MB,
    // Runs of 30 updates by 13 methods over the embedded base (docs/memory.md): from 14 to 51 MB more than the same run in a
    // process that does nothing else. Of it some 20 are there without any scoring.
    command: 28 * MB,
    // The first session of 1,061 nodes: from 12 to 39 MiB of anonymous memory.
    perNode: 20_000,
    // Values of 55.7, 81.7, 95.4 and 110.6 MiB at the peak, as the engine's profile counts them and as they are reckoned
    // here: 57.9, 88.1, 106.6 and 122.1 MiB more anonymous memory, 1.04 to 1.12 times as much. The allocator's regions
    // double (63, 127, 255 MiB), but what no value has reached of them takes no memory.
    arena: 1.1,
    weightCopies: 1,
    feedCopies: 0,
    // 1.25 bytes a weight (docs/quantisation.md) for 1.125 in the file.
    repacked: 1.11,
    limit: null,
  },
  // From two runs alone (the embedded base, 8 x 128 tokens, 304 MiB; hidden 256, 2 x 128 tokens, 289 MiB), which fix two
  // constants: the process and the allocator. Weights are once in JavaScript and once in WebAssembly's memory, and what
  // is trained, both ways, as well.
  wasm: {
    process: 103 * MB,
    command: 28 * MB,
    perNode: 20_000,
    arena: 1.05,
    weightCopies: 2,
    feedCopies: 2,
    repacked: 1,
    limit: 4 * 2 ** 30,
  },
}
