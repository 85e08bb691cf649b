/**
 * @module `.onnx_adapter`, ONNX Runtime's file of parameters that take the place of a graph's inputs: a flatbuffer, of
 * which every place is checked before it is read.
 * Schema: https://github.com/microsoft/onnxruntime/blob/v1.22.0/onnxruntime/lora/adapter_format/adapter_schema.fbs
 */
import { bytesOf, encodeUtf8 } from "../core/bytes.ts"
import { EspalierError } from "../core/errors.ts"
import { byteWidth, type DType, sizeOf, type Tensor } from "../core/tensor.ts"
import { tensorOf } from "./safetensors.ts"

const IDENTIFIER = "TORT"
const FORMAT_VERSION = 1
const MOST_PARAMETERS = 100_000
const LONGEST_NAME = 512
/** ONNX's numbers for types of elements. */
const codes = { f32: 1, f16: 10, bf16: 16 } as const
const dtypes = Object.entries(codes) as [keyof typeof codes, number][]

/** The vtable of both tables: each has four fields of four bytes behind its own place. */
const VTABLE = [12, 20, 4, 8, 12, 16]
const TABLE_BYTES = 20

/**
 * A file's bytes. Equal parameters give equal bytes.
 * @throws {TypeError} For a tensor that is no f32, f16 or bf16.
 */
export function writeOnnxAdapter(parameters: ReadonlyMap<string, Tensor>): Uint8Array {
  const names = [...parameters].map(([name, tensor]) => ({ name: encodeUtf8(name), tensor }))
  // First where everything lies: texts end in a zero, and numbers of 8 bytes begin at multiples of 8.
  const list = 8 + 12 + TABLE_BYTES
  let at = list + 4 + 4 * names.length
  const take = (size: number, alignment: number, before = 0): number => {
    const start = Math.ceil((at + before) / alignment) * alignment - before
    at = start + size
    return start
  }
  const places = names.map(({ name, tensor: { shape, data } }) => ({
    table: take(TABLE_BYTES, 4),
    name: take(4 + name.length + 1, 4),
    dims: take(4 + 8 * shape.length, 8, 4),
    data: take(4 + data.byteLength, 8, 4),
  }))
  const bytes = new Uint8Array(Math.ceil(at / 8) * 8)
  const view = new DataView(bytes.buffer)
  const u32 = (place: number, value: number) => view.setUint32(place, value, true)
  const refer = (place: number, to: number) => u32(place, to - place)
  const vtable = 8
  const root = vtable + 12
  refer(0, root)
  bytes.set(encodeUtf8(IDENTIFIER), 4)
  for (const [i, value] of VTABLE.entries()) view.setUint16(vtable + 2 * i, value, true)
  u32(root, root - vtable)
  u32(root + 4, FORMAT_VERSION)
  u32(root + 8, 1)
  u32(root + 12, 1)
  refer(root + 16, list)
  u32(list, names.length)
  for (const [i, { name, tensor }] of names.entries()) {
    const place = places[i]!
    const code = dtypes.find(([dtype]) => dtype === tensor.dtype)?.[1]
    if (code === undefined) throw new TypeError(`Expected f32, f16 or bf16 but found ${tensor.dtype}`)
    refer(list + 4 + 4 * i, place.table)
    u32(place.table, place.table - vtable)
    refer(place.table + 4, place.name)
    refer(place.table + 8, place.dims)
    u32(place.table + 12, code)
    refer(place.table + 16, place.data)
    u32(place.name, name.length)
    bytes.set(name, place.name + 4)
    u32(place.dims, tensor.shape.length)
    for (const [j, size] of tensor.shape.entries()) view.setBigInt64(place.dims + 4 + 8 * j, BigInt(size), true)
    u32(place.data, tensor.data.byteLength)
    bytes.set(bytesOf(tensor.data), place.data + 4)
  }
  return bytes
}

/** A file's parameters. @throws {EspalierError} `invalid_file` */
export function readOnnxAdapter(bytes: Uint8Array, file: string): Map<string, Tensor> {
  const reader = new FlatReader(bytes, file)
  if (bytes.length < 12 || new TextDecoder().decode(bytes.subarray(4, 8)) !== IDENTIFIER)
    throw reader.invalid(`it is no adapter of ONNX Runtime: it has no ${IDENTIFIER} in its head`)
  const root = reader.follow(0)
  const version = reader.field(root, 0, (at) => reader.u32(at)) ?? 0
  if (version !== FORMAT_VERSION) throw reader.invalid(`format version ${version} where ${FORMAT_VERSION} was expected`)
  const found = new Map<string, Tensor>()
  const list = reader.field(root, 3, (at) => reader.vector(at, 4))
  if (list && list.length > MOST_PARAMETERS) throw reader.invalid(`${list.length} parameters are too many`)
  for (let i = 0; i < (list?.length ?? 0); i++) {
    const table = reader.follow(list!.start + 4 * i)
    const name = reader.text(reader.wanted(table, 0, (at) => reader.vector(at, 1)))
    const dims = reader.wanted(table, 1, (at) => reader.vector(at, 8))
    if (dims.length > 8) throw reader.invalid(`parameter ${name} has ${dims.length} dimensions`)
    const shape = Array.from({ length: dims.length }, (_, j) => reader.size(dims.start + 8 * j))
    const code = reader.field(table, 2, (at) => reader.u32(at)) ?? 0
    const dtype: DType | undefined = dtypes.find(([, each]) => each === code)?.[0]
    if (!dtype) throw reader.invalid(`parameter ${name} is of type ${code}; known are 1 (f32), 10 (f16) and 16 (bf16)`)
    const data = reader.wanted(table, 3, (at) => reader.vector(at, 1))
    if (sizeOf(shape) * byteWidth(dtype) !== data.length)
      throw reader.invalid(`parameter ${name} of [${shape}] doesn't have its ${data.length} bytes`)
    if (found.has(name)) throw reader.invalid(`parameter ${name} comes twice`)
    found.set(name, tensorOf(dtype, shape, bytes.subarray(data.start, data.start + data.length)))
  }
  return found
}

/** Reads flatbuffers. */
class FlatReader {
  readonly #bytes: Uint8Array
  readonly #view: DataView
  readonly #file: string

  constructor(bytes: Uint8Array, file: string) {
    this.#bytes = bytes
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
    this.#file = file
  }

  invalid = (message: string): EspalierError => new EspalierError("invalid_file", `${this.#file}: ${message}`)

  #check(at: number, size: number): number {
    if (at < 0 || at + size > this.#bytes.length) throw this.invalid("it is truncated, or points outside of itself")
    return at
  }

  u32 = (at: number): number => this.#view.getUint32(this.#check(at, 4), true)

  /** Where a reference leads. */
  follow = (at: number): number => this.#check(at + this.u32(at), 4)

  /** A field of a table, or null where it is left out. */
  field<T>(table: number, index: number, read: (at: number) => T): T | null {
    const vtable = table - this.#view.getInt32(this.#check(table, 4), true)
    const size = this.#view.getUint16(this.#check(vtable, 4), true)
    if (4 + 2 * index + 2 > size) return null
    const offset = this.#view.getUint16(this.#check(vtable + 4 + 2 * index, 2), true)
    return offset === 0 ? null : read(table + offset)
  }

  wanted<T>(table: number, index: number, read: (at: number) => T): T {
    const found = this.field(table, index, read)
    if (found === null) throw this.invalid(`a parameter lacks its field ${index}`)
    return found
  }

  /** A list that a field refers to. */
  vector(field: number, width: number): { readonly start: number; readonly length: number } {
    const at = this.follow(field)
    const length = this.u32(at)
    return { start: this.#check(at + 4, length * width), length }
  }

  size(at: number): number {
    const found = this.#view.getBigInt64(this.#check(at, 8), true)
    if (found < 0n || found > 2n ** 40n) throw this.invalid(`a size is ${found}`)
    return Number(found)
  }

  text({ start, length }: { readonly start: number; readonly length: number }): string {
    const name = new TextDecoder().decode(this.#bytes.subarray(start, start + length))
    if (length > LONGEST_NAME || /[\p{Cc}\p{Cs}]/u.test(name)) throw this.invalid("a parameter's name is no text")
    return name
  }
}
