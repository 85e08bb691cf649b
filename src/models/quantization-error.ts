/**
 * @module How far a base's weights are from what they are held as: for each weight |W - W'| / |W|, by the root of the sum of
 * squares.
 */
import { dequantizeCodes, quantizeCodes, transposed } from "../core/codes.ts"
import { f16ToF32, f32ToF16 } from "../core/half.ts"
import type { Base } from "./base.ts"
import { type HeldWeight, heldWeights, type Quantization } from "./quantization.ts"

/** One weight's error. */
export interface WeightError {
  /** Its name in the checkpoint. */
  readonly name: string
  readonly bits: HeldWeight["bits"]
  /** Elements. */
  readonly size: number
  /** The part of it that is lost. */
  readonly relative: number
}

/** Errors of the weights that are held in fewer bits, in the checkpoint's order, one weight in memory at a time. */
export async function* quantizationErrors(
  { architecture, config, layout, read }: Base,
  quantization: Quantization,
): AsyncGenerator<WeightError> {
  for (const [name, how] of heldWeights(architecture, config, quantization)) {
    const data = await read(name)
    const [stored, back] = heldAndBack(data, layout.get(name)!.shape as [number, number], how)
    let [lost, whole] = [0, 0]
    for (let i = 0; i < stored.length; i++) {
      const x = stored[i]!
      lost += (x - back[i]!) ** 2
      whole += x * x
    }
    yield { name, bits: how.bits, size: data.length, relative: whole === 0 ? 0 : Math.sqrt(lost / whole) }
  }
}

/** A weight in the order that it is held in, and the numbers that are left of it. */
function heldAndBack(
  data: Float32Array,
  [rows, columns]: readonly [number, number],
  how: HeldWeight,
): readonly [Float32Array, Float32Array] {
  if (how.bits === 16) return [data, f16ToF32(f32ToF16(data))]
  const stored = how.transposed ? transposed(data, rows, columns) : data
  return [stored, dequantizeCodes(quantizeCodes(stored, how.bits))]
}
