/**
 * @module What ONNX Runtime's kernels do with memory beside making their outputs: which results are another look at an
 * input's memory, which are computed in an input's memory where it is not needed again, and what the nodes that an
 * operator is lowered to hold meanwhile. An operator that isn't named has outputs and nothing else.
 */
import type { Node } from "../graph/ir.ts"
import { causalMask } from "../graph/ops/attention.ts"
import { type CodesProductAttrs, codesProduct } from "../graph/ops/codes.ts"
import * as elementwise from "../graph/ops/elementwise.ts"
import { f16Product } from "../graph/ops/f16.ts"
import { linearCrossEntropy, minusOneHot } from "../graph/ops/loss.ts"
import { type RowsAttrs, reshape, scatterAdd } from "../graph/ops/movement.ts"
import { layerNorm, rmsNorm } from "../graph/ops/norm.ts"
import { softmax } from "../graph/ops/reduce.ts"
import { rowAttention } from "../graph/ops/row-attention.ts"
import type { Sizes } from "./sizes.ts"

/** Whether an operator's result lies in its input's memory. */
export const isView = ({ op }: Node): boolean => op.name === reshape.name

/**
 * Operators whose kernels may write over an input of the same size: `MayInplace` in their registration, in
 * core/providers/cpu and contrib_ops/cpu of onnxruntime 1.30.
 */
const inPlace: ReadonlySet<string> = new Set(
  [...Object.values(elementwise), softmax, scatterAdd, minusOneHot].map(({ name }) => name),
)

/** Whether an operator may compute in the memory of an input that nothing needs afterwards. */
export const takesInput = ({ op }: Node): boolean => inPlace.has(op.name)

/** Outputs that are not made where nothing reads them: `lower` leaves them out. */
const optional: Readonly<Record<string, readonly number[]>> = {
  [rowAttention.name]: [1],
  [rmsNorm.name]: [1],
  [layerNorm.name]: [1, 2],
}

/**
 * What becomes of an output that nothing reads: it is not made, it goes once the node is computed, or it is held to the
 * end of the run, since the engine frees a value after its last reader.
 */
export function unread({ op }: Node, output: number): "absent" | "freed" | "held" {
  if (optional[op.name]?.includes(output)) return "absent"
  // Probabilities, which the node itself reads.
  return op.name === linearCrossEntropy.name ? "freed" : "held"
}

/** Bytes that are held while a node is computed, beside inputs and outputs: see the operators' `emit`. */
export function workspaceOf({ op, attrs, inputs, outputs }: Node, sizes: Sizes): number {
  switch (op.name) {
    // The weight as f32; of 4 bits a code a byte before that.
    case codesProduct.name: {
      const { bits } = attrs as CodesProductAttrs
      const numbers = (sizes.bytes(inputs[1]!) * 8) / bits
      return 4 * numbers + (bits === 4 ? numbers : 0)
    }
    // The weight as f32.
    case f16Product.name:
      return 2 * sizes.bytes(inputs[1]!)
    // An index of 8 bytes for each element of f32.
    case scatterAdd.name:
      return (attrs as RowsAttrs).distinct ? 0 : 2 * sizes.bytes(inputs[2]!)
    // Differences of positions, and the same clipped.
    case causalMask.name:
      return 2 * sizes.bytes(outputs[0]!)
    default:
      return 0
  }
}
