/**
 * @module How far a linear head's distribution is from another one that counts as a constant.
 */
import { defineOp, expectRank, int } from "../op.ts"
import { emitLogits, type HeadAttrs } from "./loss.ts"

/** Keeps the logarithm of a probability that is zero in f32 finite: what it is multiplied by is that zero. */
const TINY = 1e-30

/**
 * For rows h [n, C], head E [V, C], probabilities p [n, V] that sum to 1 and have no gradient, weights w [n] (all f32),
 * with q = softmax(h E^T): loss = sum_i w_i KL(p_i || q_i) = sum_i w_i sum_v p_iv (log p_iv - log q_iv).
 *
 * Outputs: loss [], q [n, V], and with a cap the slope of each logit under it, which multiplies dz.
 * Since dz = w (q - p), dh = w ((q - p) E) and dE = (q - p)^T (w h).
 * log q = z - max(z) + log(max(q)), as in `linearCrossEntropy`.
 */
export const linearDivergence = defineOp<HeadAttrs>({
  name: "linearDivergence",
  infer([h, head], { cap }) {
    expectRank("linearDivergence", h!.shape, 2)
    const logits = { dtype: "f32", shape: [h!.shape[0]!, head!.shape[0]!] } as const
    return [{ dtype: "f32", shape: [] }, logits, ...(cap === null ? [] : [logits])]
  },
  vjp(g, { inputs: [h, head, p, weights], outputs: [, q, slope] }, [dLoss], needs) {
    const column = g.mul(g.reshape(weights!, [h!.shape[0]!, 1]), dLoss!)
    const apart = slope ? g.mul(g.sub(q!, p!), slope) : g.sub(q!, p!)
    return [
      needs[0] ? g.mul(g.gemm(apart, head!), column) : null,
      needs[1] ? g.gemm(apart, g.mul(h!, column), { transA: true }) : null,
      null,
      null,
    ]
  },
  emit(e, { attrs }, [h, head, p, weights], [loss, q, slope]) {
    const z = emitLogits(e, h!, head!, attrs, slope)
    e.node("Softmax", [z], { axis: int(-1) }, { outputs: [q!] })
    const max = (name: string) => e.node("ReduceMax", [name, e.ints([-1])], { keepdims: int(1) })[0]!
    const [logBest] = e.node("Log", [max(q!)])
    const [shift] = e.node("Sub", [max(z), logBest!])
    const [logQ] = e.node("Sub", [z, shift!])
    const [safe] = e.node("Add", [p!, e.scalar(TINY)])
    const [logP] = e.node("Log", [safe!])
    const [gap] = e.node("Sub", [logP!, logQ!])
    const [terms] = e.node("Mul", [p!, gap!])
    const [rows] = e.node("ReduceSum", [terms!, e.ints([-1])], { keepdims: int(0) })
    const [weighted] = e.node("Mul", [rows!, weights!])
    e.node("ReduceSum", [weighted!], { keepdims: int(0) }, { outputs: [loss!] })
  },
})
