/**
 * @module A session of a graph over a base's frozen weights, in the form that the runtime wants it.
 */
import { freeNow } from "../core/bytes.ts"
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
export async function graphSession(
  runtime: Runtime,
  { weights, quantization }: Pick<Base, "weights" | "quantization">,
  graph: GraphModel,
  options: Pick<SessionSpec, "prepack" | "keep"> = {},
): Promise<Session> {
  const lowered = lower(graph, runtime.lowering)
  const separate = runtime.sharesWeights === true && !holdsCodes(quantization)
  const { model, weights: shared } = separate ? weightsAsInputs(lowered) : { model: lowered, weights: undefined }
  const bytes = encodeModel(model)
  try {
    return await runtime.createSession({ model: bytes, weights, ...(shared && { shared }), ...options })
  } finally {
    // The engine has read it, tables and all.
    freeNow(bytes)
  }
}
