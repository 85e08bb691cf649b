/**
 * @module Cosines and sines of rotary positions, computed as the reference does: angles in f32.
 * Reference: transformers `modeling_rope_utils.py`.
 */
import { f32, type Tensor } from "../../core/tensor.ts"

/** How frequencies are changed for contexts longer than the first ones. */
export type RopeScaling =
  /** Every frequency by one factor (https://arxiv.org/abs/2306.15595). */
  | { readonly kind: "linear"; readonly factor: number }
  /** Low frequencies by a factor, high ones not, a ramp between them (Llama 3.1). */
  | {
      readonly kind: "llama3"
      readonly factor: number
      readonly lowFrequencyFactor: number
      readonly highFrequencyFactor: number
      readonly originalPositions: number
    }
  /** A ramp over the dimensions, and scores scaled by way of the tables (https://arxiv.org/abs/2309.00071). */
  | {
      readonly kind: "yarn"
      readonly factor: number
      readonly attentionFactor: number
      readonly betaFast: number
      readonly betaSlow: number
      readonly originalPositions: number
      /** Round the ramp's ends to whole dimensions. */
      readonly truncate: boolean
    }
  /** A factor for each frequency (https://arxiv.org/abs/2402.13753): those for rows of up to the first length. */
  | { readonly kind: "longrope"; readonly attentionFactor: number; readonly factors: readonly number[] }

/** What decides the angles. */
export interface RopeSettings {
  readonly theta: number
  /** Features of a head that are rotated, from the first on; even. */
  readonly dims: number
  readonly scaling: RopeScaling | null
}

const { fround } = Math

/** Radians from one position to the next, for each pair of features. */
export function ropeFrequencies({ theta, dims, scaling }: RopeSettings): Float32Array {
  const powers = Float32Array.from({ length: dims / 2 }, (_, i) => theta ** ((2 * i) / dims))
  const plain = powers.map((power) => 1 / power)
  switch (scaling?.kind) {
    case undefined:
      return plain
    case "linear":
      return plain.map((frequency) => frequency / scaling.factor)
    case "longrope":
      return powers.map((power, i) => 1 / fround(fround(scaling.factors[i]!) * power))
    case "llama3":
      return plain.map((frequency) => {
        const { factor, lowFrequencyFactor: low, highFrequencyFactor: high, originalPositions } = scaling
        const wavelength = fround(fround(2 * Math.PI) / frequency)
        if (wavelength < originalPositions / high) return frequency
        if (wavelength > originalPositions / low) return frequency / factor
        const smooth = (originalPositions / wavelength - low) / (high - low)
        return ((1 - smooth) * frequency) / factor + smooth * frequency
      })
    case "yarn": {
      const [from, to] = yarnRamp(scaling, theta, dims)
      return powers.map((power, i) => {
        const interpolated = Math.min(1, Math.max(0, (i - from) / (to - from)))
        return (1 / (scaling.factor * power)) * interpolated + (1 / power) * (1 - interpolated)
      })
    }
  }
}

/** The dimensions between which YaRN goes from extrapolation to interpolation. */
function yarnRamp(
  { betaFast, betaSlow, originalPositions, truncate }: Extract<RopeScaling, { kind: "yarn" }>,
  theta: number,
  dims: number,
): [number, number] {
  const dimensionOf = (rotations: number) =>
    (dims * Math.log(originalPositions / (rotations * 2 * Math.PI))) / (2 * Math.log(theta))
  const [fast, slow] = [dimensionOf(betaFast), dimensionOf(betaSlow)]
  const from = Math.max(0, truncate ? Math.floor(fast) : fast)
  const to = Math.min(dims - 1, truncate ? Math.ceil(slow) : slow)
  return [from, from === to ? to + 0.001 : to]
}

/** cos, sin and -sin [positions, dims / 2] for positions 0, 1, ... */
export function ropeTables(
  rope: RopeSettings,
  positions: number,
): Record<"cos" | "sin" | "negativeSin", Tensor<"f32">> {
  const frequencies = ropeFrequencies(rope)
  const half = frequencies.length
  const scale = rope.scaling && "attentionFactor" in rope.scaling ? rope.scaling.attentionFactor : 1
  const cos = new Float32Array(positions * half)
  const sin = new Float32Array(positions * half)
  for (const [i, frequency] of frequencies.entries()) {
    for (let position = 0; position < positions; position++) {
      const angle = fround(position * frequency)
      cos[position * half + i] = scale * Math.cos(angle)
      sin[position * half + i] = scale * Math.sin(angle)
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
