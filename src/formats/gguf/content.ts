/**
 * @module What a GGUF file holds: metadata with types, and tensors of one of many types, in blocks.
 * Source: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md (version 3, little-endian)
 */

/** Metadata that is one value, by its type; 64-bit numbers are bigints. */
export interface GgufScalars {
  u8: number
  i8: number
  u16: number
  i16: number
  u32: number
  i32: number
  u64: bigint
  i64: bigint
  f32: number
  f64: number
  bool: boolean
  string: string
}

/** A type of single values. */
export type GgufScalarType = keyof GgufScalars

/** A single value. */
export type GgufScalar = {
  readonly [T in GgufScalarType]: { readonly type: T; readonly value: GgufScalars[T] }
}[GgufScalarType]

/** Values of one type. */
export type GgufArray =
  | {
      readonly [T in GgufScalarType]: {
        readonly type: "array"
        readonly of: T
        readonly value: readonly GgufScalars[T][]
      }
    }[GgufScalarType]
  | { readonly type: "array"; readonly of: "array"; readonly value: readonly GgufArray[] }

/** A value of the metadata. */
export type GgufValue = GgufScalar | GgufArray

/** The metadata, by key. */
export type GgufMetadata = ReadonlyMap<string, GgufValue>

/** Types by their numbers in a file. */
export const valueTypes = [
  "u8",
  "i8",
  "u16",
  "i16",
  "u32",
  "i32",
  "f32",
  "bool",
  "string",
  "array",
  "u64",
  "i64",
  "f64",
] as const satisfies readonly (GgufScalarType | "array")[]

/** A type of tensors: its number in a file, and how many elements lie in how many bytes. */
interface TensorType {
  readonly code: number
  readonly elements: number
  readonly bytes: number
}

/** Types of tensors that can be read. */
export const tensorTypes = {
  F32: { code: 0, elements: 1, bytes: 4 },
  F16: { code: 1, elements: 1, bytes: 2 },
  Q4_0: { code: 2, elements: 32, bytes: 18 },
  Q4_1: { code: 3, elements: 32, bytes: 20 },
  Q5_0: { code: 6, elements: 32, bytes: 22 },
  Q8_0: { code: 8, elements: 32, bytes: 34 },
  Q4_K: { code: 12, elements: 256, bytes: 144 },
  Q5_K: { code: 13, elements: 256, bytes: 176 },
  Q6_K: { code: 14, elements: 256, bytes: 210 },
  BF16: { code: 30, elements: 1, bytes: 2 },
} as const satisfies Readonly<Record<string, TensorType>>

/** One of {@link tensorTypes}. */
export type GgufTensorType = keyof typeof tensorTypes

/** A tensor as its bytes. */
export interface GgufTensor {
  readonly type: GgufTensorType
  /** Row-major, as everywhere here: a file names sizes from the innermost on. */
  readonly shape: readonly number[]
  readonly bytes: Uint8Array
}

/** A file's content. */
export interface GgufContent {
  readonly metadata: GgufMetadata
  readonly tensors: ReadonlyMap<string, GgufTensor>
}

/** "GGUF" */
export const MAGIC = 0x46554747
export const VERSION = 3
/** Key of what tensors' places are multiples of, in bytes. */
export const ALIGNMENT_KEY = "general.alignment"
export const DEFAULT_ALIGNMENT = 32

/** The next place that is a multiple of `alignment`. */
export const aligned = (at: number, alignment: number): number => Math.ceil(at / alignment) * alignment
