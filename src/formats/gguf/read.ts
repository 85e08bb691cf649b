/**
 * @module GGUF, read strictly: no count, length or place is believed before it is checked against the file.
 */
import { EspalierError } from "../../core/errors.ts"
import { sizeOf } from "../../core/tensor.ts"
import {
  ALIGNMENT_KEY,
  aligned,
  DEFAULT_ALIGNMENT,
  type GgufArray,
  type GgufContent,
  type GgufMetadata,
  type GgufScalar,
  type GgufScalarType,
  type GgufTensorType,
  type GgufValue,
  MAGIC,
  tensorTypes,
  VERSION,
  valueTypes,
} from "./content.ts"

/** Where a tensor lies in a file. */
export interface GgufEntry {
  readonly type: GgufTensorType
  /** Row-major. */
  readonly shape: readonly number[]
  /** First byte, from the start of the file. */
  readonly start: number
  readonly end: number
}

/** A checked head of a file. */
export interface GgufHeader {
  readonly metadata: GgufMetadata
  readonly tensors: ReadonlyMap<string, GgufEntry>
}

/** A file whose bytes can be asked for. */
export interface GgufSource {
  /** For messages. */
  readonly name: string
  readonly size: number
  /** Bytes [start, end). */
  read(start: number, end: number): Promise<Uint8Array>
}

const MOST_TENSORS = 100_000
const MOST_KEYS = 100_000
/** Elements of an array: vocabularies have up to some 300,000. */
const MOST_ITEMS = 2 ** 24
const LONGEST_TEXT = 2 ** 24
const LONGEST_NAME = 512
const DEEPEST = 4
const MOST_DIMENSIONS = 4
/** Bytes of a head: the vocabulary lies in it. */
const LONGEST_HEAD = 2 ** 29
const FIRST_READ = 2 ** 20

const typeNames = Object.keys(tensorTypes) as GgufTensorType[]

/** The bytes at hand end before the head does. */
class Short extends Error {}

/**
 * Reads a file's head.
 * @throws {EspalierError} `invalid_file` naming what is wrong; `unsupported` for tensors of a type that can't be read.
 */
export async function readGgufHeader({ name, size, read }: GgufSource): Promise<GgufHeader> {
  for (let length = Math.min(FIRST_READ, size); ; length = Math.min(4 * length, size)) {
    try {
      return parseHeader(await read(0, length), size, name)
    } catch (error) {
      if (!(error instanceof Short)) throw error
      if (length === size || length >= LONGEST_HEAD)
        throw invalid(name, `it ends, or goes on for more than ${LONGEST_HEAD} bytes, before its tensors are named`)
    }
  }
}

/** A whole file. @throws {EspalierError} As {@link readGgufHeader}. */
export function readGguf(bytes: Uint8Array, file: string): GgufContent {
  let header: GgufHeader
  try {
    header = parseHeader(bytes, bytes.length, file)
  } catch (error) {
    if (error instanceof Short) throw invalid(file, "it is truncated: it ends before its tensors are named")
    throw error
  }
  const { metadata, tensors } = header
  return {
    metadata,
    tensors: new Map(
      [...tensors].map(([name, { type, shape, start, end }]) => [
        name,
        { type, shape, bytes: bytes.subarray(start, end) },
      ]),
    ),
  }
}

const invalid = (file: string, message: string): EspalierError =>
  new EspalierError("invalid_file", `${file}: ${message}`)

function parseHeader(bytes: Uint8Array, fileSize: number, file: string): GgufHeader {
  const from = new Cursor(bytes, file)
  if (fileSize < 24 || from.u32() !== MAGIC) throw invalid(file, "it is no GGUF file: it doesn't begin with GGUF")
  const version = from.u32()
  if (version !== VERSION && version !== 2)
    throw invalid(file, `GGUF version ${version} where 2 or 3 (little-endian) was expected`)
  const tensorCount = from.count("tensors", MOST_TENSORS)
  const keyCount = from.count("keys", MOST_KEYS)
  const metadata = new Map<string, GgufValue>()
  for (let i = 0; i < keyCount; i++) {
    const key = from.text(LONGEST_NAME)
    if (metadata.has(key)) throw invalid(file, `key ${shown(key)} comes twice`)
    metadata.set(key, from.value(key))
  }
  const alignment = alignmentOf(metadata.get(ALIGNMENT_KEY), file)
  const found = new Map<string, { type: GgufTensorType; shape: number[]; offset: number; length: number }>()
  for (let i = 0; i < tensorCount; i++) {
    const name = from.text(LONGEST_NAME)
    if (found.has(name) || /[\p{Cc}\p{Cs}]/u.test(name))
      throw invalid(file, `tensor ${shown(name)} comes twice, or its name is no text`)
    found.set(name, parseEntry(from, name, file))
  }
  const dataStart = aligned(from.at, alignment)
  const tensors = new Map<string, GgufEntry>()
  let taken = 0
  for (const [name, { type, shape, offset, length }] of [...found].sort(([, a], [, b]) => a.offset - b.offset)) {
    if (offset % alignment !== 0 || offset < taken)
      throw invalid(file, `tensor ${name} begins at byte ${offset}, within another or at no multiple of ${alignment}`)
    taken = offset + length
    if (dataStart + taken > fileSize)
      throw invalid(file, `tensor ${name} ends at byte ${dataStart + taken} but the file has ${fileSize}`)
    tensors.set(name, { type, shape, start: dataStart + offset, end: dataStart + taken })
  }
  return { metadata, tensors: new Map([...found.keys()].map((name) => [name, tensors.get(name)!])) }
}

function parseEntry(from: Cursor, name: string, file: string) {
  const dimensions = from.u32()
  if (dimensions > MOST_DIMENSIONS) throw invalid(file, `tensor ${name} has ${dimensions} dimensions, more than 4`)
  const shape = Array.from({ length: dimensions }, () => from.count(`elements of ${name}`, 2 ** 40)).reverse()
  const code = from.u32()
  const offset = from.count(`bytes before ${name}`, 2 ** 50)
  const type = typeNames.find((each) => tensorTypes[each].code === code)
  if (!type)
    throw new EspalierError("unsupported", `${file}: tensor ${name} is of a type (${code}) that can't be read`, {
      hint: `Types that can be read: ${typeNames.join(", ")}`,
    })
  const { elements, bytes } = tensorTypes[type]
  if ((shape.at(-1) ?? 1) % elements !== 0)
    throw invalid(
      file,
      `tensor ${name}: rows of ${shape.at(-1)} are no whole blocks of ${type}, which hold ${elements}`,
    )
  try {
    return { type, shape, offset, length: (sizeOf(shape) / elements) * bytes }
  } catch {
    throw invalid(file, `tensor ${name} of shape [${shape}] is too large`)
  }
}

function alignmentOf(value: GgufValue | undefined, file: string): number {
  if (value === undefined) return DEFAULT_ALIGNMENT
  const { type, value: found } = value
  if (type !== "u32" || found < 8 || found > 2 ** 20 || (found & (found - 1)) !== 0)
    throw invalid(file, `${ALIGNMENT_KEY} is no power of two from 8 on`)
  return found
}

const shown = (text: string): string => JSON.stringify(text.slice(0, 100))

/** Reads one value after the other. */
class Cursor {
  at = 0
  readonly #bytes: Uint8Array
  readonly #view: DataView
  readonly #file: string

  constructor(bytes: Uint8Array, file: string) {
    this.#bytes = bytes
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
    this.#file = file
  }

  u32 = (): number => this.#view.getUint32(this.#take(4), true)

  /** A u64 that counts something. */
  count(what: string, most: number): number {
    const found = this.#view.getBigUint64(this.#take(8), true)
    if (found > BigInt(most)) throw invalid(this.#file, `it says ${found} ${what}, more than ${most}`)
    return Number(found)
  }

  text(longest: number): string {
    const length = this.count("bytes of a text", longest)
    const at = this.#take(length)
    try {
      return strict.decode(this.#bytes.subarray(at, at + length))
    } catch {
      // Vocabularies are known to hold pieces of characters.
      return new TextDecoder().decode(this.#bytes.subarray(at, at + length))
    }
  }

  value(key: string): GgufValue {
    const type = this.#type(key)
    return type === "array" ? this.#array(key, 1) : ({ type, value: this.#scalar(type) } as GgufScalar)
  }

  #type(key: string) {
    const code = this.u32()
    const type = valueTypes[code]
    if (!type) throw invalid(this.#file, `key ${shown(key)} is of type ${code}, which there is not`)
    return type
  }

  #array(key: string, depth: number): GgufArray {
    if (depth > DEEPEST) throw invalid(this.#file, `key ${shown(key)} is nested deeper than ${DEEPEST}`)
    const of = this.#type(key)
    const length = this.count(`elements of ${shown(key)}`, MOST_ITEMS)
    const value: unknown[] = []
    for (let i = 0; i < length; i++) value.push(of === "array" ? this.#array(key, depth + 1) : this.#scalar(of))
    return { type: "array", of, value } as GgufArray
  }

  #scalar(type: GgufScalarType): unknown {
    const view = this.#view
    switch (type) {
      case "u8":
        return view.getUint8(this.#take(1))
      case "i8":
        return view.getInt8(this.#take(1))
      case "u16":
        return view.getUint16(this.#take(2), true)
      case "i16":
        return view.getInt16(this.#take(2), true)
      case "u32":
        return this.u32()
      case "i32":
        return view.getInt32(this.#take(4), true)
      case "u64":
        return view.getBigUint64(this.#take(8), true)
      case "i64":
        return view.getBigInt64(this.#take(8), true)
      case "f32":
        return view.getFloat32(this.#take(4), true)
      case "f64":
        return view.getFloat64(this.#take(8), true)
      case "bool": {
        const found = view.getUint8(this.#take(1))
        if (found > 1) throw invalid(this.#file, `a truth value is ${found}`)
        return found === 1
      }
      case "string":
        return this.text(LONGEST_TEXT)
      default:
        return type satisfies never
    }
  }

  #take(size: number): number {
    const at = this.at
    if (at + size > this.#bytes.length) throw new Short()
    this.at = at + size
    return at
  }
}

const strict = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true })
