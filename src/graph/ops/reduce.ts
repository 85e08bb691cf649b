/**
 * @module Reductions and softmax.
 */
import { axisOf, defineOp, int } from "../op.ts"

/** Settings of a reduction. */
export interface ReduceAttrs {
  readonly axes: readonly number[]
  readonly keep: boolean
}

/** The sum over axes; with `keep` they stay as axes of size 1. */
export const reduceSum = defineOp<ReduceAttrs>({
  name: "reduceSum",
  infer([x], { axes, keep }) {
    const at = axes.map((axis) => axisOf(axis, x!.shape.length))
    const shape = x!.shape.map((dim, i) => (at.includes(i) ? 1 : dim))
    return [{ dtype: x!.dtype, shape: keep ? shape : shape.filter((_, i) => !at.includes(i)) }]
  },
  vjp(g, { inputs: [x], attrs: { axes } }, [dy]) {
    const at = axes.map((axis) => axisOf(axis, x!.shape.length))
    const kept = g.reshape(
      dy!,
      x!.shape.map((dim, i) => (at.includes(i) ? 1 : dim)),
    )
    return [g.expand(kept, x!.shape)]
  },
  emit(e, { attrs: { axes, keep } }, [x], outputs) {
    e.node("ReduceSum", [x!, e.ints(axes)], { keepdims: int(+keep) }, { outputs })
  },
})

/** exp(x_i) / sum_j exp(x_j) over the last axis; dx = y (dy - sum(dy y)). */
export const softmax = defineOp<Record<string, never>>({
  name: "softmax",
  infer: ([x]) => [x!],
  vjp(g, { outputs: [y] }, [dy]) {
    const weighted = g.mul(dy!, y!)
    return [g.sub(weighted, g.mul(y!, g.reduceSum(weighted, [-1], true)))]
  },
  emit: (e, _node, inputs, outputs) => void e.node("Softmax", inputs, { axis: int(-1) }, { outputs }),
})
