/**
 * @module The weights file of an adapter folder: read once and in pieces, and held against the sha256 that our facts may
 * have of it. A bit that flips on a disk or in a copy leaves numbers that look like any other.
 */
import { createHash } from "node:crypto"
import { freeNow } from "../core/bytes.ts"
import { EspalierError } from "../core/errors.ts"
import { f32, type Tensor } from "../core/tensor.ts"
import { asF32, assertFinite } from "../formats/as-f32.ts"
import { ADAPTER_LIMITS, headerLength, parseHeader, type TensorEntry, tensorOf } from "../formats/safetensors.ts"
import { type Beginning, beginningOf, type Folder } from "./folder.ts"

/** Its name in PEFT's layout. */
export const WEIGHTS = "adapter_model.safetensors"

/** What is read or hashed at once, in bytes; only a larger tensor is read whole. */
const PIECE_BYTES = 8 * 2 ** 20

/** Facts with what the weights file's bytes are. */
export function withWeightsHash(
  facts: Readonly<Record<string, unknown>>,
  weights: Uint8Array,
): Readonly<Record<string, unknown>> {
  const hash = createHash("sha256")
  for (let at = 0; at < weights.length; at += PIECE_BYTES) hash.update(weights.subarray(at, at + PIECE_BYTES))
  return { ...facts, files: { [WEIGHTS]: { bytes: weights.length, sha256: hash.digest("hex") } } }
}

/**
 * The weights' sha256 as facts have it, 64 lower-case hex digits; null where they have none, as with adapters made
 * elsewhere.
 * @throws {EspalierError} `invalid_file` if there is something else in its place.
 */
export function weightsHashOf(facts: Readonly<Record<string, unknown>> | null, factsFile: string): string | null {
  const files = facts?.["files"]
  if (files === undefined) return null
  const entry = isRecord(files) ? files[WEIGHTS] : files
  const sha256 = isRecord(entry) ? entry["sha256"] : entry
  if (typeof sha256 === "string" && /^[\da-f]{64}$/i.test(sha256)) return sha256.toLowerCase()
  throw new EspalierError(
    "invalid_file",
    `${factsFile}: expected files to say the sha256 of ${WEIGHTS} in 64 hex digits but found ${shown(files)}`,
    { hint: `Copy the folder anew; or remove "files" from ${factsFile} to load the weights unchecked` },
  )
}

/** A weights file of which the beginning was read: all of it, where it is a small one. */
export interface OpenedWeights {
  readonly folder: Folder
  readonly beginning: Beginning
}

/**
 * Reads the beginning, before it is known what the file should be.
 * @throws {EspalierError} `invalid_file` where there is none to read
 */
export const openWeights = async (folder: Folder): Promise<OpenedWeights> => ({
  folder,
  beginning: await beginningOf(folder, WEIGHTS, PIECE_BYTES),
})

/**
 * Reads the weights file, once. Of a small file that nobody else holds, tensors of f32 are views; else the memory of its beginning
 * is given back.
 * @param expected its sha256 in hex, or null where nobody knows it
 * @throws {EspalierError} `invalid_file` naming the tensor at fault, or both hashes where the file is another one.
 */
export async function readWeights(
  { folder, beginning: { size, bytes: beginning, isOwn } }: OpenedWeights,
  expected: string | null,
  factsFile: string,
): Promise<Map<string, Tensor<"f32">>> {
  const hash = createHash("sha256")
  const hashed = (bytes: Uint8Array): void => {
    if (expected === null) return
    for (let at = 0; at < bytes.length; at += PIECE_BYTES) hash.update(bytes.subarray(at, at + PIECE_BYTES))
  }
  let held = { from: 0, to: beginning.length, bytes: beginning }
  /** The next bytes of the file: calls follow each other without a gap, so that all of it is hashed, once. */
  const next = async (start: number, end: number): Promise<Uint8Array> => {
    if (end > held.to) {
      hashed(held.bytes.subarray(0, start - held.from))
      const to = Math.max(end, Math.min(start + PIECE_BYTES, size))
      held = { from: start, to, bytes: await folder.readRange(WEIGHTS, start, to) }
    }
    return held.bytes.subarray(start - held.from, end - held.from)
  }
  const length = headerLength(await next(0, Math.min(8, size)), size, WEIGHTS, ADAPTER_LIMITS)
  const header = parseHeader(await next(8, 8 + length), size, WEIGHTS, ADAPTER_LIMITS)
  const tensors = new Map<string, Tensor<"f32">>()
  const isWhole = isOwn && beginning.length === size
  let isShared = false
  /** A tensor over the file's own bytes, where they are whole and lie as numbers must. */
  const inPlace = ({ dtype, shape, start, end }: TensorEntry): Tensor<"f32"> | null => {
    const from = beginning.byteOffset + start
    if (!isWhole || dtype !== "f32" || from % 4 !== 0) return null
    isShared = true
    return f32(shape, new Float32Array(beginning.buffer as ArrayBuffer, from, (end - start) / 4))
  }
  // In the file's order, in which they follow each other to its end: parseHeader sees to both.
  for (const [name, entry] of header.tensors) {
    const { dtype, shape, start, end } = entry
    tensors.set(name, inPlace(entry) ?? asF32(tensorOf(dtype, shape, await next(start, end)), name, WEIGHTS))
  }
  hashed(held.bytes)
  // Left to the collector, what was read would make it run sooner, while somebody waits for a token.
  if (isOwn && !isShared) freeNow(beginning)
  const found = expected === null ? null : hash.digest("hex")
  if (found !== expected) {
    throw new EspalierError(
      "invalid_file",
      `${WEIGHTS} in folder ${folder.name} is not the file that ${factsFile} speaks of: expected sha256 ${expected} but found ${found}`,
      {
        hint: `The file is damaged or was replaced: copy or train the adapter anew. If you changed it yourself, remove "files" from ${factsFile}`,
      },
    )
  }
  for (const [name, { data }] of tensors) assertFinite(data, name, WEIGHTS)
  return tensors
}

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value)

const shown = (value: unknown): string => (JSON.stringify(value) ?? "nothing").slice(0, 100)
