/**
 * @module A value that counts as a constant in gradients.
 */
import { defineOp } from "../op.ts"

/** y = x, without a gradient. */
export const detach = defineOp<Record<string, never>>({
  name: "detach",
  infer: ([x]) => [x!],
  vjp: "frozen",
  emit: (e, _node, inputs, outputs) => void e.node("Identity", inputs, {}, { outputs }),
})
