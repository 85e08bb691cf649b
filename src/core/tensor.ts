/**
 * @module Host tensors: a dtype, a shape and a typed array, row-major. Nothing here computes.
 */

/** Element types that cross a session's border or lie in a file. */
export type DType = "f32" | "f16" | "bf16" | "i64" | "i32" | "i8" | "u8" | "bool"

/** The typed array that holds each dtype; f16 and bf16 are held as their bits, bool as bytes 0 and 1. */
export interface TensorDataOf {
  f32: Float32Array
  f16: Uint16Array
  bf16: Uint16Array
  i64: BigInt64Array
  i32: Int32Array
  i8: Int8Array
  u8: Uint8Array
  bool: Uint8Array
}

/** Any typed array a tensor may hold. */
export type TensorData = TensorDataOf[DType]

/** A dense, row-major tensor in host memory. `data.length` is the product of `shape`. */
export interface Tensor<D extends DType = DType> {
  readonly dtype: D
  readonly shape: readonly number[]
  readonly data: TensorDataOf[D]
}

/** A tensor that lies in a blob of frozen weights: what it is, and where, in bytes. */
export interface PlacedWeight {
  readonly name: string
  readonly dtype: DType
  readonly shape: readonly number[]
  readonly offset: number
  readonly length: number
}

const widths: Record<DType, number> = { f32: 4, f16: 2, bf16: 2, i64: 8, i32: 4, i8: 1, u8: 1, bool: 1 }

/** Bytes of one element. */
export const byteWidth = (dtype: DType): number => widths[dtype]

/**
 * The product of a shape's sizes (1 for a scalar).
 * @throws {RangeError} If a size is not a non-negative integer or the product is not a safe integer.
 */
export function sizeOf(shape: readonly number[]): number {
  let size = 1
  for (const dim of shape) {
    if (!Number.isSafeInteger(dim) || dim < 0) throw new RangeError(`Expected sizes of at least 0 but found [${shape}]`)
    size *= dim
  }
  if (!Number.isSafeInteger(size)) throw new RangeError(`Shape [${shape}] has more elements than can be counted`)
  return size
}

/**
 * An f32 tensor over `data` (not copied).
 * @throws {TypeError} If the length of `data` is not the product of `shape`.
 */
export function f32(shape: readonly number[], data: Float32Array | readonly number[]): Tensor<"f32"> {
  return checked({ dtype: "f32", shape, data: data instanceof Float32Array ? data : Float32Array.from(data) })
}

/**
 * An i64 tensor from whole numbers.
 * @throws {TypeError} If the length of `data` is not the product of `shape`.
 */
export function i64(shape: readonly number[], data: BigInt64Array | ArrayLike<number>): Tensor<"i64"> {
  if (data instanceof BigInt64Array) return checked({ dtype: "i64", shape, data })
  const out = new BigInt64Array(data.length)
  for (let i = 0; i < data.length; i++) out[i] = BigInt(data[i]!)
  return checked({ dtype: "i64", shape, data: out })
}

/**
 * An i32 tensor from whole numbers.
 * @throws {TypeError} If the length of `data` is not the product of `shape`.
 */
export function i32(shape: readonly number[], data: Int32Array | ArrayLike<number>): Tensor<"i32"> {
  return checked({ dtype: "i32", shape, data: data instanceof Int32Array ? data : Int32Array.from(data) })
}

function checked<T extends Tensor>(tensor: T): T {
  if (tensor.data.length !== sizeOf(tensor.shape)) {
    throw new TypeError(
      `Shape [${tensor.shape}] wants ${sizeOf(tensor.shape)} elements but found ${tensor.data.length}`,
    )
  }
  return tensor
}
