/**
 * @module Elements under a mask, of which dropout is made. The mask is an input like any other: an engine's own random
 * numbers differ from backend to backend, and no seed makes them come again after a run is resumed.
 */
import { sameShape } from "../dim.ts"
import { defineOp } from "../op.ts"

/** x where a mask (bool, of x's shape) is true, and 0 elsewhere, whatever x is there. The gradient goes the same way. */
export const keep = defineOp<Record<string, never>>({
  name: "keep",
  infer([x, mask]) {
    if (mask!.dtype !== "bool" || !sameShape(x!.shape, mask!.shape))
      throw new TypeError(`keep expects a bool [${x!.shape}] but found ${mask!.dtype} [${mask!.shape}]`)
    return [x!]
  },
  vjp: (g, { inputs: [, mask] }, [dy]) => [g.keep(dy!, mask!), null],
  // Not a product with the mask as numbers: engines make equal nodes one, and would hold those numbers, four times the
  // mask's size, from the forward pass to the backward pass.
  emit: (e, _node, [x, mask], outputs) => void e.node("Where", [mask!, x!, e.scalar(0)], {}, { outputs }),
})
