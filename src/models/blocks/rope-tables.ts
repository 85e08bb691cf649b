/**
 * @module Cosines and sines of rotary positions, computed as the reference does: angles in f32.
 */
import { f32, type Tensor } from "../../core/tensor.ts"

/** What decides the angles. */
export interface RopeSettings {
  readonly theta: number
}

/** cos, sin and -sin [positions, headDim / 2] for positions 0, 1, ... */
export function ropeTables(
  { theta }: RopeSettings,
  headDim: number,
  positions: number,
): Record<"cos" | "sin" | "negativeSin", Tensor<"f32">> {
  const half = headDim / 2
  const cos = new Float32Array(positions * half)
  const sin = new Float32Array(positions * half)
  for (let i = 0; i < half; i++) {
    const frequency = Math.fround(1 / Math.fround(theta ** ((2 * i) / headDim)))
    for (let position = 0; position < positions; position++) {
      const angle = Math.fround(position * frequency)
      cos[position * half + i] = Math.cos(angle)
      sin[position * half + i] = Math.sin(angle)
    }
  }
  const shape = [positions, half]
  return {
    cos: f32(shape, cos),
    sin: f32(shape, sin),
    negativeSin: f32(
      shape,
      sin.map((x) => -x),
    ),
  }
}
