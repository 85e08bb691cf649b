/**
 * @module A session of a graph over a base's frozen weights, in the form that the runtime wants it.
 */
import type { GraphModel } from "../graph/ir.ts"
import { lower } from "../graph/lower/lower.ts"
import { weightsAsInputs } from "../graph/onnx/weights-as-inputs.ts"
import { encodeModel } from "../graph/onnx/write.ts"
import type { Runtime, Session, SessionSpec } from "../runtime/runtime.ts"
import type { Base } from "./base.ts"
import { holdsCodes } from "./quantization.ts"

/**
 * Makes a session. Where the runtime holds weights once for all of its sessions they are fed by it; codes are not, which
 * it takes no tensors of.
 */
export function graphSession(
  runtime: Runtime,
  { weights, quantization }: Pick<Base, "weights" | "quantization">,
  graph: GraphModel,
  options: Pick<SessionSpec, "prepack" | "keep"> = {},
): Promise<Session> {
  const lowered = lower(graph, runtime.lowering)
  if (!runtime.sharesWeights || holdsCodes(quantization))
    return runtime.createSession({ model: encodeModel(lowered), weights, ...options })
  const { model, weights: shared } = weightsAsInputs(lowered)
  return runtime.createSession({ model: encodeModel(model), weights, shared, ...options })
}
