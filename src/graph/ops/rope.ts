/**
 * @module Rotary position embedding (https://arxiv.org/abs/2104.09864), in the half-split layout of Llama checkpoints.
 */
import { defineOp, expectRank, int, microsoft } from "../op.ts"

/** Settings of the rotation. */
export interface RopeAttrs {
  readonly headDim: number
}

/**
 * Rotates each head's pairs (x_i, x_{i+R/2}) of its first R features by its position's angles.
 * Inputs: x [B, T, heads * D], cos [P, R/2], sin [P, R/2] by position, -sin [P, R/2], positions i64 [B, T].
 * Its transpose is the rotation by the negative angle, so the gradient is the same operator with sin and -sin exchanged.
 */
export const rope = defineOp<RopeAttrs>({
  name: "rope",
  infer([x]) {
    expectRank("rope", x!.shape, 3)
    return [x!]
  },
  vjp(g, { inputs: [, cos, sin, negativeSin, positions], attrs }, [dy], needs) {
    return [
      needs[0] ? g.rope(dy!, { cos: cos!, sin: negativeSin!, negativeSin: sin! }, positions!, attrs.headDim) : null,
      null,
      null,
      null,
      null,
    ]
  },
  emit(e, { inputs: [x, cosTable], attrs: { headDim } }, [xn, cos, sin, , positions], outputs) {
    const [batch, length, width] = x!.shape
    const heads = (width as number) / headDim
    const half = cosTable!.shape[1] as number
    const rest = headDim - 2 * half
    if (e.lowering === "fused") {
      const part = rest > 0 ? { num_heads: int(heads), rotary_embedding_dim: int(2 * half) } : {}
      const attributes = { interleaved: int(0), ...part }
      e.node("RotaryEmbedding", [xn!, positions!, cos!, sin!], attributes, { domain: microsoft, outputs })
      return
    }
    const [split] = e.node("Reshape", [xn!, e.dims([batch!, length!, heads, headDim])])
    const sizes = rest > 0 ? [half, half, rest] : [half, half]
    const [first, second, ...still] = e.node(
      "Split",
      [split!, e.ints(sizes)],
      { axis: int(3) },
      { outputs: sizes.length },
    )
    const table = (name: string) =>
      e.node("Unsqueeze", [e.node("Gather", [name, positions!], { axis: int(0) })[0]!, e.ints([2])])[0]!
    const c = table(cos!)
    const s = table(sin!)
    const times = (a: string, b: string) => e.node("Mul", [a, b])[0]!
    const [left] = e.node("Sub", [times(first!, c), times(second!, s)])
    const [right] = e.node("Add", [times(second!, c), times(first!, s)])
    const [joined] = e.node("Concat", [left!, right!, ...still], { axis: int(3) })
    e.node("Reshape", [joined!, e.dims(x!.shape)], {}, { outputs })
  },
})
