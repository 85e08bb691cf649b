/**
 * @module A base's tensors, from one safetensors file or from shards named by an index.
 */
import { createHash } from "node:crypto"
import { bytesOf, decodeUtf8, freeNow } from "../core/bytes.ts"
import { EspalierError } from "../core/errors.ts"
import { bf16ToF32, f16ToF32 } from "../core/half.ts"
import type { DType } from "../core/tensor.ts"
import { asF32, noFloat } from "../formats/as-f32.ts"
import { parseShardIndex } from "../formats/hf-config.ts"
import { headerLength, parseHeader, type TensorEntry, tensorOf } from "../formats/safetensors.ts"
import type { Folder } from "./folder.ts"

/** A base's tensors by name. */
export interface Checkpoint {
  readonly tensors: ReadonlyMap<string, { readonly dtype: DType; readonly shape: readonly number[] }>
  /** Every tensor that is read is the caller's own. */
  readonly givesCopies: true
  /** A tensor as f32. @throws {EspalierError} `invalid_file` if there is none, or its dtype is no float. */
  readF32(name: string): Promise<Float32Array>
  /** The same in parts, one after the other; each is there until the next is asked for. */
  f32Parts(name: string): AsyncIterable<Float32Array>
  /** Writes a tensor as f32 into an array of its size, at once: there where the folder lies in memory. */
  f32Into?(name: string, out: Float32Array): void
  /** The bits of a tensor that is stored as f16, at once; where {@link Checkpoint.f32Into} is. */
  f16Into?(name: string, out: Uint16Array): void
  /** Whether two tensors are the same, byte by byte. @throws {EspalierError} `invalid_file` if there is none of a name */
  equal(a: string, b: string): Promise<boolean>
  /** sha256 in hex over all tensors (name, dtype, shape, bytes): the same however they are sharded. */
  hash(): Promise<string>
}

const SINGLE = "model.safetensors"
const INDEX = "model.safetensors.index.json"

/**
 * Opens a base's tensors; only headers are read.
 * @throws {EspalierError} `invalid_file` naming the file and tensor at fault.
 */
export async function openCheckpoint(folder: Folder): Promise<Checkpoint> {
  const entries = new Map<string, TensorEntry & { readonly file: string }>()
  const files = await folder.list()
  if (files.includes(SINGLE)) {
    for (const [name, entry] of await readHeader(folder, SINGLE)) entries.set(name, { ...entry, file: SINGLE })
  } else if (files.includes(INDEX)) {
    await readShards(folder, files, entries)
  } else {
    const pickle = files.some((file) => /\.(bin|pt|pth)$/.test(file))
    throw new EspalierError("invalid_file", `Folder ${folder.name} has neither ${SINGLE} nor ${INDEX}`, {
      hint: pickle
        ? "Pickled weights can run code and are never read: convert them to safetensors"
        : "Point at a Hugging Face model folder",
    })
  }
  const entryOf = (name: string) => {
    const entry = entries.get(name)
    if (!entry) throw new EspalierError("invalid_file", `Folder ${folder.name} has no tensor ${name}`)
    return entry
  }
  let hash: Promise<string> | null = null
  return {
    tensors: entries,
    givesCopies: true,
    async readF32(name) {
      const { file, dtype, shape, start, end } = entryOf(name)
      const stored = tensorOf(dtype, shape, await folder.readRange(file, start, end))
      const { data } = asF32(stored, name, file)
      if (data !== stored.data) freeNow(stored.data)
      return data
    },
    f32Parts: (name) => partsOf(folder, name, entryOf(name)),
    ...(folder.lookAt && {
      f32Into(name: string, out: Float32Array) {
        const { file, dtype, start, end } = entryOf(name)
        widen(folder.lookAt!(file).subarray(start, end), { name, dtype, file }, out)
      },
      f16Into(name: string, out: Uint16Array) {
        const { file, start, end } = entryOf(name)
        bytesOf(out).set(folder.lookAt!(file).subarray(start, end))
      },
    }),
    equal: (a, b) => sameBytes(folder, entryOf(a), entryOf(b)),
    hash() {
      hash ??= hashOf(folder, entries)
      return hash
    },
  }
}

async function readHeader(folder: Folder, file: string): Promise<ReadonlyMap<string, TensorEntry>> {
  const size = await folder.size(file)
  const length = headerLength(await folder.readRange(file, 0, Math.min(8, size)), size, file)
  return parseHeader(await folder.readRange(file, 8, 8 + length), size, file).tensors
}

async function readShards(
  folder: Folder,
  files: readonly string[],
  entries: Map<string, TensorEntry & { file: string }>,
): Promise<void> {
  let json: unknown
  try {
    json = JSON.parse(decodeUtf8(await folder.read(INDEX)))
  } catch (cause) {
    throw new EspalierError("invalid_file", `${INDEX} is not valid JSON`, { cause })
  }
  const index = parseShardIndex(json)
  const headers = new Map<string, ReadonlyMap<string, TensorEntry>>()
  for (const file of new Set(index.values())) {
    if (!files.includes(file)) throw new EspalierError("invalid_file", `Shard ${file} is missing: ${INDEX} names it`)
    headers.set(file, await readHeader(folder, file))
  }
  for (const [name, file] of index) {
    const entry = headers.get(file)!.get(name)
    if (!entry) throw new EspalierError("invalid_file", `${file} has no tensor ${name}, though ${INDEX} says so`)
    entries.set(name, { ...entry, file })
  }
}

/** A tensor's numbers, read and made f32 in buffers that all parts share. */
async function* partsOf(
  folder: Folder,
  name: string,
  { file, dtype, start, end }: Place,
): AsyncGenerator<Float32Array> {
  const buffer = new Uint8Array(Math.min(READ_AT_ONCE, end - start))
  const wide = dtype === "f32" ? null : new Float32Array(buffer.length / 2)
  for (let at = start; at < end; at += buffer.length) {
    const bytes = await folder.readRange(file, at, Math.min(end, at + buffer.length), buffer)
    // A folder in memory gives its own bytes, wherever they begin.
    if (bytes.buffer !== buffer.buffer) buffer.set(bytes)
    const count = bytes.length / (dtype === "f32" ? 4 : 2)
    if (wide === null) yield new Float32Array(buffer.buffer, 0, count)
    else {
      const part = wide.subarray(0, count)
      widen(buffer.subarray(0, bytes.length), { name, dtype, file }, part)
      yield part
    }
  }
  freeNow(buffer)
  if (wide) freeNow(wide)
}

/** Bytes of a tensor as f32. @param out of as many numbers */
function widen(
  bytes: Uint8Array,
  { name, dtype, file }: Pick<Place, "dtype" | "file"> & { readonly name: string },
  out: Float32Array,
): void {
  if (dtype === "f32") {
    bytesOf(out).set(bytes)
    return
  }
  if (dtype !== "f16" && dtype !== "bf16") throw noFloat({ dtype }, name, file)
  const own = bytes.byteOffset % 2 === 0 ? bytes : bytes.slice()
  const halves = new Uint16Array(own.buffer, own.byteOffset, own.length / 2)
  if (dtype === "f16") f16ToF32(halves, out)
  else bf16ToF32(halves, out)
}

async function sameBytes(folder: Folder, a: Place, b: Place): Promise<boolean> {
  const size = a.end - a.start
  if (a.dtype !== b.dtype || a.shape.join() !== b.shape.join() || size !== b.end - b.start) return false
  const buffers = [a, b].map(() => new Uint8Array(Math.min(READ_AT_ONCE, size)))
  for (let at = 0; at < size; at += READ_AT_ONCE) {
    const end = Math.min(at + READ_AT_ONCE, size)
    const [mine, other] = await Promise.all(
      [a, b].map(({ file, start }, i) => folder.readRange(file, start + at, start + end, buffers[i]!)),
    )
    for (let i = 0; i < mine!.length; i++) if (mine![i] !== other![i]) return false
  }
  return true
}

type Place = TensorEntry & { readonly file: string }
type Entries = ReadonlyMap<string, Place>

/** Tensors that lie side by side are read together up to this, and larger ones in such pieces. */
const READ_AT_ONCE = 8 * 2 ** 20

async function hashOf(folder: Folder, entries: Entries): Promise<string> {
  const hash = createHash("sha256")
  const sorted = [...entries].sort(([a], [b]) => (a < b ? -1 : 1))
  // One buffer for all: what is read and thrown away would be resident until it is collected. A folder in memory needs none.
  const buffer = new Uint8Array(folder.lookAt ? 0 : READ_AT_ONCE)
  let held = { file: "", from: 0, to: 0, bytes: buffer as Uint8Array }
  for (const [i, [name, { file, dtype, shape, start, end }]] of sorted.entries()) {
    hash.update(`${name}\0${dtype}\0${shape.join()}\0`)
    for (let at = start; at < end; ) {
      if (held.file !== file || at < held.from || at >= held.to) {
        const to = Math.min(at + READ_AT_ONCE, endOfRun(sorted, i))
        held = { file, from: at, to, bytes: await folder.readRange(file, at, to, buffer) }
      }
      const to = Math.min(end, held.to)
      hash.update(held.bytes.subarray(at - held.from, to - held.from))
      at = to
    }
  }
  return hash.digest("hex")
}

/** Where the bytes end that a tensor and those after it in the list make up without a gap. */
function endOfRun(
  sorted: readonly (readonly [string, TensorEntry & { readonly file: string }])[],
  first: number,
): number {
  let { file, end } = sorted[first]![1]
  for (let i = first + 1; i < sorted.length; i++) {
    const next = sorted[i]![1]
    if (next.file !== file || next.start !== end) break
    end = next.end
  }
  return end
}
