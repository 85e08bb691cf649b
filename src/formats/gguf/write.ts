/**
 * @module GGUF, written: metadata with types, then where each tensor lies, then the tensors, each from a multiple of the
 * alignment on. Equal content gives equal bytes.
 */
import { bytesOf, encodeUtf8 } from "../../core/bytes.ts"
import { f32ToBf16, f32ToF16 } from "../../core/half.ts"
import type { Tensor } from "../../core/tensor.ts"
import {
  ALIGNMENT_KEY,
  aligned,
  DEFAULT_ALIGNMENT,
  type GgufContent,
  type GgufScalars,
  type GgufScalarType,
  type GgufTensor,
  type GgufValue,
  MAGIC,
  tensorTypes,
  VERSION,
  valueTypes,
} from "./content.ts"

/** A tensor in one of the types that need no blocks. */
export function ggufTensor({ shape, data }: Tensor<"f32">, type: "F32" | "F16" | "BF16" = "F32"): GgufTensor {
  const numbers = type === "F32" ? data : type === "F16" ? f32ToF16(data) : f32ToBf16(data)
  return { type, shape, bytes: bytesOf(numbers) }
}

/**
 * A file's bytes.
 * @throws {TypeError} For an alignment that is no power of two from 8 on, a number that its type can't hold, or bytes
 *   that are too few or too many for a shape.
 */
export function writeGguf({ metadata, tensors }: GgufContent): Uint8Array {
  const sink = new ByteSink()
  const alignment = alignmentOf(metadata.get(ALIGNMENT_KEY))
  sink.scalar("u32", MAGIC)
  sink.scalar("u32", VERSION)
  sink.scalar("u64", BigInt(tensors.size))
  sink.scalar("u64", BigInt(metadata.size))
  for (const [key, value] of metadata) {
    sink.scalar("string", key)
    sink.value(value)
  }
  let offset = 0
  for (const [name, { type, shape, bytes }] of tensors) {
    const { code, elements, bytes: width } = tensorTypes[type]
    const wanted = (shape.reduce((a, b) => a * b, 1) / elements) * width
    if (bytes.length !== wanted || (shape.at(-1) ?? 1) % elements !== 0)
      throw new TypeError(`${name}: ${type} [${shape}] wants ${wanted} bytes but found ${bytes.length}`)
    sink.scalar("string", name)
    sink.scalar("u32", shape.length)
    for (const size of [...shape].reverse()) sink.scalar("u64", BigInt(size))
    sink.scalar("u32", code)
    sink.scalar("u64", BigInt(offset))
    offset = aligned(offset + bytes.length, alignment)
  }
  for (const { bytes } of tensors.values()) {
    sink.pad(alignment)
    sink.bytes(bytes)
  }
  sink.pad(alignment)
  return sink.finish()
}

function alignmentOf(value: GgufValue | undefined): number {
  if (value === undefined) return DEFAULT_ALIGNMENT
  if (value.type !== "u32" || value.value < 8 || (value.value & (value.value - 1)) !== 0)
    throw new TypeError(`Expected ${ALIGNMENT_KEY} to be a u32 power of two from 8 on but found ${value.value}`)
  return value.value
}

/** Bytes under construction. */
class ByteSink {
  #bytes = new Uint8Array(4096)
  #view = new DataView(this.#bytes.buffer)
  #at = 0

  value(value: GgufValue): void {
    this.scalar("u32", valueTypes.indexOf(value.type))
    if (value.type !== "array") this.scalar(value.type, value.value)
    else this.#items(value)
  }

  #items(array: Extract<GgufValue, { type: "array" }>): void {
    this.scalar("u32", valueTypes.indexOf(array.of))
    this.scalar("u64", BigInt(array.value.length))
    if (array.of === "array") for (const item of array.value) this.#items(item)
    else for (const item of array.value) this.scalar(array.of, item)
  }

  scalar<T extends GgufScalarType>(type: T, value: GgufScalars[T]): void {
    if (type === "string") {
      const bytes = encodeUtf8(value as string)
      this.scalar("u64", BigInt(bytes.length))
      this.bytes(bytes)
      return
    }
    const at = this.#take(8)
    const width = writers[type as keyof typeof writers](this.#view, at, value)
    this.#at = at + width
  }

  bytes(bytes: Uint8Array): void {
    const at = this.#take(bytes.length)
    this.#bytes.set(bytes, at)
  }

  pad(alignment: number): void {
    this.#take(aligned(this.#at, alignment) - this.#at)
  }

  finish(): Uint8Array {
    return this.#bytes.slice(0, this.#at)
  }

  /** Room for so many bytes, from the returned place on. */
  #take(size: number): number {
    const at = this.#at
    if (at + size > this.#bytes.length) {
      const bytes = new Uint8Array(Math.max(at + size, 2 * this.#bytes.length))
      bytes.set(this.#bytes)
      this.#bytes = bytes
      this.#view = new DataView(bytes.buffer)
    }
    this.#at = at + size
    return at
  }
}

type Writer = (view: DataView, at: number, value: unknown) => number

/** Writes a whole number. @throws {TypeError} For one that the type can't hold. */
const whole =
  (width: 1 | 2 | 4, least: number, most: number): Writer =>
  (view, at, value) => {
    if (!Number.isInteger(value) || (value as number) < least || (value as number) > most)
      throw new TypeError(`Expected a whole number from ${least} to ${most} but found ${value}`)
    // Bits are the same for either sign.
    if (width === 1) view.setUint8(at, value as number)
    else if (width === 2) view.setUint16(at, value as number, true)
    else view.setUint32(at, value as number, true)
    return width
  }

const long =
  (least: bigint, most: bigint): Writer =>
  (view, at, value) => {
    if (typeof value !== "bigint" || value < least || value > most)
      throw new TypeError(`Expected a whole number from ${least} to ${most} but found ${value}`)
    view.setBigUint64(at, BigInt.asUintN(64, value), true)
    return 8
  }

const writers: Readonly<Record<Exclude<GgufScalarType, "string">, Writer>> = {
  u8: whole(1, 0, 2 ** 8 - 1),
  i8: whole(1, -(2 ** 7), 2 ** 7 - 1),
  u16: whole(2, 0, 2 ** 16 - 1),
  i16: whole(2, -(2 ** 15), 2 ** 15 - 1),
  u32: whole(4, 0, 2 ** 32 - 1),
  i32: whole(4, -(2 ** 31), 2 ** 31 - 1),
  u64: long(0n, 2n ** 64n - 1n),
  i64: long(-(2n ** 63n), 2n ** 63n - 1n),
  f32(view, at, value) {
    view.setFloat32(at, value as number, true)
    return 4
  },
  f64(view, at, value) {
    view.setFloat64(at, value as number, true)
    return 8
  },
  bool(view, at, value) {
    view.setUint8(at, value === true ? 1 : 0)
    return 1
  },
}
