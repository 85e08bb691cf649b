/**
 * @module safetensors, read strictly: nothing in a header is believed before it is checked against the file.
 * Layout: 8 bytes length (little-endian), a JSON header, the tensors' bytes without holes.
 * Source: https://github.com/huggingface/safetensors/blob/v0.5.3/README.md#format
 */
import { bytesOf, concatBytes, encodeUtf8 } from "../core/bytes.ts"
import { EspalierError } from "../core/errors.ts"
import { byteWidth, type DType, sizeOf, type Tensor, type TensorData } from "../core/tensor.ts"
import { parseStrictJson } from "./json-strict.ts"

/** In the order in which the reference library writes them, which keeps every tensor aligned. */
const dtypes: Readonly<Record<string, DType>> = {
  I64: "i64",
  F32: "f32",
  I32: "i32",
  BF16: "bf16",
  F16: "f16",
  I8: "i8",
  U8: "u8",
  BOOL: "bool",
}
const codes = Object.fromEntries(Object.entries(dtypes).map(([code, dtype]) => [dtype, code])) as Record<DType, string>
const ranks = Object.fromEntries(Object.values(dtypes).map((dtype, i) => [dtype, i])) as Record<DType, number>

const METADATA = "__metadata__"
/** Characters of a tensor's name at most: names are shown in messages. */
const LONGEST_NAME = 512

/** Where a tensor lies in a file. */
export interface TensorEntry {
  readonly dtype: DType
  readonly shape: readonly number[]
  /** First byte, from the start of the file. */
  readonly start: number
  readonly end: number
}

/** A checked header. */
export interface SafetensorsHeader {
  readonly tensors: ReadonlyMap<string, TensorEntry>
  readonly metadata: ReadonlyMap<string, string>
}

/** Bounds on what a header may ask for. */
export interface SafetensorsLimits {
  /** @default {100_000_000} */
  readonly maxHeaderBytes?: number
  /** @default {100_000} */
  readonly maxTensors?: number
}

/** Bounds for adapters, which come from outside more often than bases do. */
export const ADAPTER_LIMITS: SafetensorsLimits = { maxHeaderBytes: 2 ** 20, maxTensors: 20_000 }

const invalid = (file: string, message: string): EspalierError =>
  new EspalierError("invalid_file", `${file}: ${message}`)

/** A value of a header for a message: a header can hold a megabyte in one place. */
const shown = (value: unknown): string => {
  const text = JSON.stringify(value) ?? "nothing"
  return text.length > 100 ? `${text.slice(0, 100)}...` : text
}

/** The header's length in bytes. @throws {EspalierError} `invalid_file` if it can't be right. */
export function headerLength(
  first8: Uint8Array,
  fileSize: number,
  file: string,
  { maxHeaderBytes = 100_000_000 }: SafetensorsLimits = {},
): number {
  if (fileSize < 10 || first8.length < 8)
    throw invalid(file, `expected a safetensors file of at least 10 bytes but found ${fileSize}`)
  const length = Number(new DataView(first8.buffer, first8.byteOffset, 8).getBigUint64(0, true))
  if (length < 2) throw invalid(file, `expected a header of at least 2 bytes but found ${length}`)
  if (length > maxHeaderBytes)
    throw invalid(file, `expected a header of at most ${maxHeaderBytes} bytes but found ${length}`)
  if (8 + length > fileSize)
    throw invalid(
      file,
      `the header says ${length} bytes but the file has ${fileSize}: it is truncated or no safetensors file`,
    )
  return length
}

/**
 * Checks a header.
 * @param bytes the header's JSON
 * @throws {EspalierError} `invalid_file` naming the tensor and what was expected.
 */
export function parseHeader(
  bytes: Uint8Array,
  fileSize: number,
  file: string,
  { maxTensors = 100_000 }: SafetensorsLimits = {},
): SafetensorsHeader {
  if (bytes[0] !== 0x7b) throw invalid(file, "expected the header to begin with {")
  let json: unknown
  try {
    json = parseStrictJson(new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes))
  } catch (cause) {
    throw new EspalierError("invalid_file", `${file}: the header is not right: ${(cause as Error).message}`, { cause })
  }
  const dataStart = 8 + bytes.length
  const metadata = new Map<string, string>()
  const found: (TensorEntry & { readonly name: string })[] = []
  for (const [name, value] of Object.entries(json as Record<string, unknown>)) {
    if (name !== METADATA) {
      if (!isName(name))
        throw invalid(file, `tensor ${shown(name)} has a name that is too long or holds characters that are no text`)
      found.push({ name, ...parseEntry(value, name, dataStart, file) })
      continue
    }
    if (typeof value !== "object" || Array.isArray(value))
      throw invalid(file, `expected __metadata__ to be an object but found ${shown(value)}`)
    for (const [key, text] of Object.entries((value ?? {}) as Record<string, unknown>)) {
      if (typeof text !== "string") throw invalid(file, `__metadata__ ${shown(key)} is not a text`)
      metadata.set(key, text)
    }
  }
  if (found.length > maxTensors) throw invalid(file, `expected at most ${maxTensors} tensors but found ${found.length}`)
  const tensors = new Map<string, TensorEntry>()
  let at = dataStart
  for (const { name, ...entry } of [...found].sort((a, b) => a.start - b.start || a.end - b.end)) {
    if (entry.start !== at)
      throw invalid(
        file,
        `tensor ${name} begins at byte ${entry.start - dataStart} where ${at - dataStart} was expected: tensors overlap or leave a hole`,
      )
    at = entry.end
    tensors.set(name, entry)
  }
  if (at !== fileSize)
    throw invalid(file, `expected ${at} bytes but the file has ${fileSize}: it is truncated or has bytes too many`)
  return { tensors, metadata }
}

/** Names reach terminals, messages and hashes, where a control character would pass for something else. */
const isName = (name: string): boolean =>
  name !== METADATA && name.length <= LONGEST_NAME && !/[\p{Cc}\p{Cs}]/u.test(name)

function parseEntry(value: unknown, name: string, dataStart: number, file: string): TensorEntry {
  const { dtype: code, shape, data_offsets: offsets } = (value ?? {}) as Record<string, unknown>
  const dtype = typeof code === "string" && Object.hasOwn(dtypes, code) ? dtypes[code] : undefined
  if (!dtype)
    throw invalid(file, `tensor ${name} has dtype ${shown(code)}; known are ${Object.keys(dtypes).join(", ")}`)
  const isCount = (x: unknown): x is number => Number.isSafeInteger(x) && (x as number) >= 0
  if (!Array.isArray(shape) || shape.length > 8 || !shape.every(isCount))
    throw invalid(file, `tensor ${name} has no right shape: ${shown(shape)}`)
  if (!Array.isArray(offsets) || offsets.length !== 2 || !offsets.every(isCount))
    throw invalid(file, `tensor ${name} has no right data_offsets: ${shown(offsets)}`)
  const [start, end] = offsets as [number, number]
  let bytes: number
  try {
    bytes = sizeOf([...shape, byteWidth(dtype)])
  } catch {
    throw invalid(file, `tensor ${name} of shape [${shape}] is too large`)
  }
  if (end - start !== bytes)
    throw invalid(
      file,
      `tensor ${name} of ${code} [${shape}] wants ${bytes} bytes but its data_offsets span ${end - start}`,
    )
  return { dtype, shape, start: dataStart + start, end: dataStart + end }
}

/** A tensor over its own copy of bytes, aligned for its dtype. */
export function tensorOf(dtype: DType, shape: readonly number[], bytes: Uint8Array): Tensor {
  const buffer = new ArrayBuffer(bytes.length)
  new Uint8Array(buffer).set(bytes)
  const make: Record<DType, (b: ArrayBuffer) => TensorData> = {
    f32: (b) => new Float32Array(b),
    f16: (b) => new Uint16Array(b),
    bf16: (b) => new Uint16Array(b),
    i64: (b) => new BigInt64Array(b),
    i32: (b) => new Int32Array(b),
    i8: (b) => new Int8Array(b),
    u8: (b) => new Uint8Array(b),
    bool: (b) => new Uint8Array(b),
  }
  return { dtype, shape, data: make[dtype](buffer) } as Tensor
}

/** A whole file. @throws {EspalierError} `invalid_file` */
export function readSafetensors(bytes: Uint8Array, file: string, limits: SafetensorsLimits = {}): Map<string, Tensor> {
  const length = headerLength(bytes.subarray(0, 8), bytes.length, file, limits)
  const { tensors } = parseHeader(bytes.subarray(8, 8 + length), bytes.length, file, limits)
  return new Map(
    [...tensors].map(([name, { dtype, shape, start, end }]) => [
      name,
      tensorOf(dtype, shape, bytes.subarray(start, end)),
    ]),
  )
}

/**
 * The bytes of a file: tensors by dtype, then name, as the reference library orders them.
 * @throws {TypeError} For a name that {@link readSafetensors} would not read back.
 */
export function writeSafetensors(
  tensors: ReadonlyMap<string, Tensor>,
  metadata: Readonly<Record<string, string>> = { format: "pt" },
): Uint8Array {
  const ordered = [...tensors].sort(([a, x], [b, y]) => ranks[x.dtype] - ranks[y.dtype] || (a < b ? -1 : 1))
  // Written as text: an object would put numeric names first and take __proto__ for something else.
  const header = Object.keys(metadata).length > 0 ? [`${JSON.stringify(METADATA)}:${JSON.stringify(metadata)}`] : []
  let at = 0
  for (const [name, { dtype, shape, data }] of ordered) {
    if (!isName(name)) throw new TypeError(`Expected a tensor's name but found ${shown(name)}`)
    const entry = { dtype: codes[dtype], shape, data_offsets: [at, at + data.byteLength] }
    header.push(`${JSON.stringify(name)}:${JSON.stringify(entry)}`)
    at += data.byteLength
  }
  const json = encodeUtf8(`{${header.join()}}`)
  const padded = new Uint8Array(Math.ceil(json.length / 8) * 8).fill(0x20)
  padded.set(json)
  const length = new Uint8Array(8)
  new DataView(length.buffer).setBigUint64(0, BigInt(padded.length), true)
  return concatBytes([length, padded, ...ordered.map(([, { data }]) => bytesOf(data))])
}
