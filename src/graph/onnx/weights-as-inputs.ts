/**
 * @module A model whose frozen weights are inputs instead of initializers: for an engine that holds a weight once and feeds
 * it to every session. Such a model is the same for any weights of these shapes, and nothing of it is computed ahead.
 */
import type { PlacedWeight } from "../../core/tensor.ts"
import type { OnnxModel } from "./schema.ts"

/** The model with its external initializers as inputs, and those inputs: which weights they are, and where these lie in the blob. */
export function weightsAsInputs(model: OnnxModel): { readonly model: OnnxModel; readonly weights: PlacedWeight[] } {
  const weights = model.initializers.flatMap(({ name, dtype, shape, data }) =>
    data.kind === "external" ? [{ name, dtype, shape, offset: data.offset, length: data.length }] : [],
  )
  return {
    model: {
      ...model,
      inputs: [...model.inputs, ...weights.map(({ name, dtype, shape }) => ({ name, dtype, shape }))],
      initializers: model.initializers.filter(({ data }) => data.kind === "inline"),
    },
    weights,
  }
}
