/**
 * @module Packs a base into one little-endian blob of f32 weights, of f16 ones, or of codes and their scales, that ONNX graphs
 * point into. On disk it is written once for a base and a form, and mapped by every session; without files it stays in
 * memory.
 */
import { createHash } from "node:crypto"
import { open, stat } from "node:fs/promises"
import { dirname, join } from "node:path"
import { bytesOf, freeNow } from "../core/bytes.ts"
import { CODE_BLOCK, type CodeBits, quantizeCodes, transposed } from "../core/codes.ts"
import { EspalierError } from "../core/errors.ts"
import { f32ToF16 } from "../core/half.ts"
import { type DType, sizeOf } from "../core/tensor.ts"
import { assertFinite } from "../formats/as-f32.ts"
import type { FrozenWeights } from "../runtime/runtime.ts"
import { buildFolderAtomic } from "./atomic.ts"
import { writeAt } from "./file.ts"
import { fsFolder } from "./folder.ts"
import { stretchesOf } from "./weight-stretches.ts"

/** Weights that lie side by side, so that they are also one weight, joined along axis 0. */
export interface WeightGroup {
  readonly name: string
  readonly parts: readonly { readonly name: string; readonly shape: readonly number[] }[]
}

/** A stretch of the blob, in bytes. */
export interface ByteRange {
  readonly offset: number
  readonly length: number
}

/** Where a weight lies in the blob, in bytes. */
export interface WeightPlace extends ByteRange {
  /** Its shape in the checkpoint. */
  readonly shape: readonly number[]
  /**
   * How it is held where that is not as f32: as f16, or as codes [out, in]: their bits, where their scales [out, in / 32]
   * lie, whether `shape` is [in, out].
   */
  readonly held?:
    | { readonly bits: 16 }
    | { readonly bits: CodeBits; readonly scales: ByteRange; readonly transposed: boolean }
}

/**
 * Weights to be held in fewer bits, by checkpoint name: as f16, or as codes of how many bits, and whether each is [in, out]
 * there. Rows [out, in] of codes must be whole blocks.
 */
export type HeldWeights = ReadonlyMap<
  string,
  { readonly bits: 16 } | { readonly bits: CodeBits; readonly transposed: boolean }
>

/** Settings of {@link packWeights}. */
export interface PackOptions {
  /** Where the blob is kept; null keeps it in memory. */
  readonly cacheFolder: string | null
  /** Weights to be held in fewer bits. @default none */
  readonly held?: HeldWeights
}

/** A packed base. */
export interface PackedWeights {
  readonly weights: FrozenWeights
  readonly layout: ReadonlyMap<string, WeightPlace>
}

/** Where weights come from. */
export interface WeightSource {
  readonly tensors: ReadonlyMap<string, { readonly shape: readonly number[]; readonly dtype?: DType }>
  readF32(name: string): Promise<Float32Array>
  /** Whether every array that is read is the caller's own, which it may give back at once. @default {false} */
  readonly givesCopies?: boolean
  /** The same in parts, one after the other; each is there until the next is asked for. @default as one part */
  f32Parts?(name: string): AsyncIterable<Float32Array>
  /** Writes a tensor into an array of its size, at once. @default there is only the waiting way */
  f32Into?(name: string, out: Float32Array): void
  /** The same bit by bit for a tensor that is stored as f16. @default there is only the waiting way */
  f16Into?(name: string, out: Uint16Array): void
  hash(): Promise<string>
}

/** Groups begin at pages, so that mapped files share them. */
const PAGE = 4096
/** Changes when the blob's layout does. */
const LAYOUT_VERSION = 1
const LOCATION = "weights.bin"

/**
 * Packs a base.
 * @throws {EspalierError} `invalid_file` with every tensor that is missing or misshapen, or the one that is not finite.
 */
export async function packWeights(
  source: WeightSource,
  groups: readonly WeightGroup[],
  { cacheFolder, held = new Map() }: PackOptions,
): Promise<PackedWeights> {
  checkShapes(source, groups)
  const { layout, size } = layOut(groups, held)
  const form = held.size > 0 ? `\0codes/${CODE_BLOCK}\0${JSON.stringify([...held])}` : ""
  const key = createHash("sha256")
    .update(`${LAYOUT_VERSION}\0${await source.hash()}\0${JSON.stringify(groups)}${form}`)
    .digest("hex")
  if (cacheFolder === null)
    return {
      layout,
      weights: { hash: key, location: LOCATION, size, path: null, ...(await unkept(source, layout, size)) },
    }
  const path = join(cacheFolder, "bases", key.slice(0, 40), LOCATION)
  if (!(await isWhole(path, size))) await writeBlob(path, size, pieces(source, layout))
  return {
    layout,
    weights: {
      hash: key,
      location: LOCATION,
      size,
      path,
      bytes: () => fsFolder(dirname(path)).readRange(LOCATION, 0, size),
    },
  }
}

/** A blob that no file holds. @throws {EspalierError} `invalid_file` naming the tensor that is not finite. */
async function unkept(
  source: WeightSource,
  layout: ReadonlyMap<string, WeightPlace>,
  size: number,
): Promise<Pick<FrozenWeights, "bytes" | "part" | "partsDone">> {
  const make = async (): Promise<Uint8Array> => {
    const blob = new Uint8Array(size)
    for await (const { offset, bytes, shared } of pieces(source, layout)) {
      blob.set(bytes, offset)
      if (source.givesCopies && !shared) freeNow(bytes)
    }
    return blob
  }
  const write = writerOf(source, layout)
  if (write) {
    for (const name of layout.keys()) {
      const all = finiteParts(source, name)
      while (!(await all.next()).done);
    }
    return { bytes: make, ...stretchesOf(write, layout) }
  }
  // A session copies what it is given. Kept here as well, the weights would be held twice for as long as the base is open;
  // the few sessions that follow the first one have them made again.
  let first: Uint8Array | null = await make()
  return {
    async bytes() {
      const made = first ?? (await make())
      first = null
      return made
    },
  }
}

/** Writes a tensor as the blob holds it, at once; null where one of them can't be written so. */
function writerOf(
  source: WeightSource,
  layout: ReadonlyMap<string, WeightPlace>,
): ((name: string, out: Uint8Array) => void) | null {
  const isWritable = ([name, { held }]: readonly [string, WeightPlace]): boolean =>
    held ? held.bits === 16 && source.f16Into !== undefined && source.tensors.get(name)!.dtype === "f16" : true
  if (!source.f32Into || ![...layout].every(isWritable)) return null
  return (name, { buffer, byteOffset, length }) => {
    if (layout.get(name)!.held) source.f16Into!(name, new Uint16Array(buffer, byteOffset, length / 2))
    else source.f32Into!(name, new Float32Array(buffer, byteOffset, length / 4))
  }
}

/** Bytes of the blob that {@link packWeights} makes of these groups. */
export const blobSize = (groups: readonly WeightGroup[], held: HeldWeights = new Map()): number =>
  layOut(groups, held).size

/** Where each weight lies in the blob that {@link packWeights} makes of these groups, and the blob's bytes. */
export const weightsLayout = (
  groups: readonly WeightGroup[],
  held: HeldWeights = new Map(),
): { readonly layout: ReadonlyMap<string, WeightPlace>; readonly size: number } => layOut(groups, held)

/** A source over tensors in memory. */
export function memorySource(
  tensors: ReadonlyMap<string, { readonly shape: readonly number[]; readonly data: Float32Array }>,
): WeightSource {
  return {
    tensors,
    readF32: async (name) => tensors.get(name)!.data,
    async hash() {
      const hash = createHash("sha256")
      for (const [name, { shape, data }] of [...tensors].sort(([a], [b]) => (a < b ? -1 : 1))) {
        hash.update(`${name}\0f32\0${shape.join()}\0`)
        hash.update(bytesOf(data))
      }
      return hash.digest("hex")
    },
  }
}

function checkShapes({ tensors }: WeightSource, groups: readonly WeightGroup[]): void {
  const lines = groups
    .flatMap(({ parts }) => parts)
    .flatMap(({ name, shape }) => {
      const found = tensors.get(name)
      if (!found) return [`${name}: expected [${shape}] but it is missing`]
      return found.shape.join() === shape.join() ? [] : [`${name}: expected [${shape}] but found [${found.shape}]`]
    })
  if (lines.length === 0) return
  const shown = lines.slice(0, 20).concat(lines.length > 20 ? [`and ${lines.length - 20} more`] : [])
  throw new EspalierError("invalid_file", `The base's weights don't fit its config.json:\n  ${shown.join("\n  ")}`)
}

function layOut(groups: readonly WeightGroup[], held: HeldWeights): { layout: Map<string, WeightPlace>; size: number } {
  const layout = new Map<string, WeightPlace>()
  let at = 0
  const take = (length: number): ByteRange => {
    const range = { offset: at, length }
    at += length
    return range
  }
  for (const { parts } of groups) {
    at = Math.ceil(at / PAGE) * PAGE
    // Codes of a group lie side by side, and so do their scales behind them: both are joined along axis 0.
    for (const { name, shape } of parts)
      layout.set(name, { shape, ...take((sizeOf(shape) * (held.get(name)?.bits ?? 32)) / 8) })
    for (const { name, shape } of parts) {
      const how = held.get(name)
      if (!how) continue
      if (how.bits === 16) {
        layout.set(name, { ...layout.get(name)!, held: how })
        continue
      }
      const scales = take((sizeOf(shape) / CODE_BLOCK) * 4)
      layout.set(name, { ...layout.get(name)!, held: { ...how, scales } })
    }
  }
  return { layout, size: at }
}

/** The blob's content, stretch by stretch; each is there until the next is asked for, which a shared buffer comes in. */
async function* pieces(source: WeightSource, layout: ReadonlyMap<string, WeightPlace>) {
  for (const [name, { offset, shape, held }] of layout) {
    if (!held || held.bits === 16) {
      for await (const { part, at } of finiteParts(source, name)) {
        if (held) yield { offset: offset + 2 * at, bytes: bytesOf(halves(part, name)), shared: false }
        else yield { offset: offset + 4 * at, bytes: bytesOf(part), shared: source.f32Parts !== undefined }
      }
      continue
    }
    const data = await source.readF32(name)
    assertFinite(data, name, "The base")
    const [rows, columns] = shape as [number, number]
    const matrix = quantizeCodes(held.transposed ? transposed(data, rows, columns) : data, held.bits)
    yield { offset, bytes: matrix.codes, shared: false }
    yield { offset: held.scales.offset, bytes: bytesOf(matrix.scales), shared: false }
  }
}

/** A tensor's numbers, part by part, and where each part begins. @throws {EspalierError} `invalid_file` if one is not finite */
async function* finiteParts(source: WeightSource, name: string) {
  let at = 0
  for await (const part of source.f32Parts?.(name) ?? [await source.readF32(name)]) {
    assertFinite(part, name, "The base", at)
    yield { part, at }
    at += part.length
  }
}

/** Finite numbers as f16. @throws {EspalierError} `unsupported` if one is beyond what f16 holds. */
function halves(numbers: Float32Array, name: string): Uint16Array {
  const beyond = numbers.find((x) => Math.abs(x) >= F16_BEYOND)
  if (beyond !== undefined)
    throw new EspalierError(
      "unsupported",
      `Weight ${name} can't be held as f16: it has ${beyond}, and f16 ends at 65504`,
      {
        param: "quantize",
        hint: "Hold it as int8, or leave out --quantize",
      },
    )
  return f32ToF16(numbers)
}

/** What is rounded to an infinite f16: half a step beyond the largest. */
const F16_BEYOND = 65520

async function isWhole(path: string, size: number): Promise<boolean> {
  return stat(path).then(
    (found) => found.size === size,
    () => false,
  )
}

/** Writes the blob in a folder of its own, then moves the folder into place: a crash leaves no half blob under its name. */
async function writeBlob(
  path: string,
  size: number,
  content: AsyncIterable<{ readonly offset: number; readonly bytes: Uint8Array }>,
): Promise<void> {
  try {
    await buildFolderAtomic(dirname(path), async (folder) => {
      const file = await open(join(folder, LOCATION), "wx")
      try {
        await file.truncate(size)
        for await (const { offset, bytes } of content) await writeAt(file, bytes, offset)
        await file.sync()
      } finally {
        await file.close()
      }
    })
  } catch (error) {
    // Another process may have packed the same base meanwhile: then its blob serves.
    if (!(await isWhole(path, size))) throw error
  }
}
