/**
 * @module How far a base's weights are from what they are held as: for each weight |W - W'| / |W|, by the root of the sum of
 * squares.
 */
import { dequantizeCodes, quantizeCodes, transposed } from "../core/codes.ts"
import type { Base } from "./base.ts"
import { heldWeights, type Quantization } from "./quantization.ts"

/** One weight's error. */
export interface WeightError {
  /** Its name in the checkpoint. */
  readonly name: string
  readonly bits: 4 | 8
  /** Elements. */
  readonly size: number
  /** The part of it that is lost. */
  readonly relative: number
}

/** Errors of the weights that are held as codes, in the checkpoint's order, one weight in memory at a time. */
export async function* quantizationErrors(
  { architecture, config, layout, read }: Base,
  quantization: Quantization,
): AsyncGenerator<WeightError> {
  for (const [name, how] of heldWeights(architecture, config, quantization)) {
    const data = await read(name)
    const [rows, columns] = layout.get(name)!.shape as [number, number]
    const stored = how.transposed ? transposed(data, rows, columns) : data
    const back = dequantizeCodes(quantizeCodes(stored, how.bits))
    let [lost, whole] = [0, 0]
    for (let i = 0; i < stored.length; i++) {
      const x = stored[i]!
      lost += (x - back[i]!) ** 2
      whole += x * x
    }
    yield { name, bits: how.bits, size: data.length, relative: whole === 0 ? 0 : Math.sqrt(lost / whole) }
  }
}
