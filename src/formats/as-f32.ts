/**
 * @module Tensors of any float dtype as f32, and the check that every number is one.
 */
import { EspalierError } from "../core/errors.ts"
import { bf16ToF32, f16ToF32 } from "../core/half.ts"
import type { Tensor } from "../core/tensor.ts"

/** A float tensor as f32. @throws {EspalierError} `invalid_file` for another dtype. */
export function asF32(tensor: Tensor, name: string, file: string): Tensor<"f32"> {
  const { dtype, shape, data } = tensor
  if (dtype === "f32") return tensor as Tensor<"f32">
  if (dtype === "f16") return { dtype: "f32", shape, data: f16ToF32(data as Uint16Array) }
  if (dtype === "bf16") return { dtype: "f32", shape, data: bf16ToF32(data as Uint16Array) }
  throw noFloat(tensor, name, file)
}

/** What is wrong with a tensor of another dtype. */
export const noFloat = ({ dtype }: Pick<Tensor, "dtype">, name: string, file: string): EspalierError =>
  new EspalierError("invalid_file", `${file}: tensor ${name} has dtype ${dtype} where f32, f16 or bf16 was expected`)

/**
 * @param first the number of its first element, where `data` is a part of the tensor
 * @throws {EspalierError} `invalid_file` naming the tensor, if it holds NaN or an infinity.
 */
export function assertFinite(data: Float32Array, name: string, file: string, first = 0): void {
  if (isFiniteSum(data)) return
  for (let i = 0; i < data.length; i++) {
    if (!Number.isFinite(data[i]))
      throw new EspalierError(
        "invalid_file",
        `${file}: tensor ${name} holds ${data[i]} at element ${first + i}, where only finite numbers make sense`,
      )
  }
}

/** Whether the sum of all is finite: then each of them is. Four sums, as one would wait for itself at each number. */
function isFiniteSum(data: Float32Array): boolean {
  let a = 0
  let b = 0
  let c = 0
  let d = 0
  const { length } = data
  const whole = length - (length % 4)
  for (let i = 0; i < whole; i += 4) {
    a += data[i]!
    b += data[i + 1]!
    c += data[i + 2]!
    d += data[i + 3]!
  }
  for (let i = whole; i < length; i++) a += data[i]!
  return Number.isFinite(a + b + c + d)
}
