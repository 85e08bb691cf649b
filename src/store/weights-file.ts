/**
 * @module Packs a base into one little-endian f32 blob that ONNX graphs point into. On disk it is written once for a
 * base and mapped by every session; without files it stays in memory.
 */
import { createHash } from "node:crypto"
import { open, stat } from "node:fs/promises"
import { dirname, join } from "node:path"
import { bytesOf } from "../core/bytes.ts"
import { EspalierError } from "../core/errors.ts"
import { sizeOf } from "../core/tensor.ts"
import { assertFinite } from "../formats/as-f32.ts"
import type { FrozenWeights } from "../runtime/runtime.ts"
import { buildFolderAtomic } from "./atomic.ts"
import { writeAt } from "./file.ts"
import { fsFolder } from "./folder.ts"

/** Weights that lie side by side, so that they are also one weight, joined along axis 0. */
export interface WeightGroup {
  readonly name: string
  readonly parts: readonly { readonly name: string; readonly shape: readonly number[] }[]
}

/** Where a weight lies in the blob, in bytes. */
export interface WeightPlace {
  readonly shape: readonly number[]
  readonly offset: number
  readonly length: number
}

/** A packed base. */
export interface PackedWeights {
  readonly weights: FrozenWeights
  readonly layout: ReadonlyMap<string, WeightPlace>
}

/** Where weights come from. */
export interface WeightSource {
  readonly tensors: ReadonlyMap<string, { readonly shape: readonly number[] }>
  readF32(name: string): Promise<Float32Array>
  hash(): Promise<string>
}

/** Groups begin at pages, so that mapped files share them. */
const PAGE = 4096
/** Changes when the blob's layout does. */
const LAYOUT_VERSION = 1
const LOCATION = "weights.bin"

/**
 * Packs a base.
 * @param cacheFolder where the blob is kept; null keeps it in memory
 * @throws {EspalierError} `invalid_file` with every tensor that is missing or misshapen, or the one that is not finite.
 */
export async function packWeights(
  source: WeightSource,
  groups: readonly WeightGroup[],
  { cacheFolder }: { readonly cacheFolder: string | null },
): Promise<PackedWeights> {
  checkShapes(source, groups)
  const { layout, size } = layOut(groups)
  const key = createHash("sha256")
    .update(`${LAYOUT_VERSION}\0${await source.hash()}\0${JSON.stringify(groups)}`)
    .digest("hex")
  if (cacheFolder === null) {
    const blob = new Uint8Array(size)
    for await (const { place, data } of tensors(source, layout)) blob.set(bytesOf(data), place.offset)
    return { layout, weights: { hash: key, location: LOCATION, size, path: null, bytes: async () => blob } }
  }
  const path = join(cacheFolder, "bases", key.slice(0, 40), LOCATION)
  if (!(await isWhole(path, size))) await writeBlob(path, size, source, layout)
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

function layOut(groups: readonly WeightGroup[]): { layout: Map<string, WeightPlace>; size: number } {
  const layout = new Map<string, WeightPlace>()
  let at = 0
  for (const { parts } of groups) {
    at = Math.ceil(at / PAGE) * PAGE
    for (const { name, shape } of parts) {
      const length = sizeOf(shape) * 4
      layout.set(name, { shape, offset: at, length })
      at += length
    }
  }
  return { layout, size: at }
}

async function* tensors(source: WeightSource, layout: ReadonlyMap<string, WeightPlace>) {
  for (const [name, place] of layout) {
    const data = await source.readF32(name)
    assertFinite(data, name, "The base")
    yield { place, data }
  }
}

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
  source: WeightSource,
  layout: ReadonlyMap<string, WeightPlace>,
): Promise<void> {
  try {
    await buildFolderAtomic(dirname(path), async (folder) => {
      const file = await open(join(folder, LOCATION), "wx")
      try {
        await file.truncate(size)
        for await (const { place, data } of tensors(source, layout)) await writeAt(file, bytesOf(data), place.offset)
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
