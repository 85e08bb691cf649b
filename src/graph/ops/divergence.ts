/**
 * @module How far a linear head's distribution is from another one that counts as a constant.
 */
import { defineOp, expectRank, int } from "../op.ts"

/** Keeps the logarithm of a probability that is zero in f32 finite: what it is multiplied by is that zero. */
const TINY = 1e-30

/**
 * For rows h [n, C], head E [V, C], probabilities p [n, V] that sum to 1 and have no gradient, weights w [n] (all f32),
 * with q = softmax(h E^T): loss = sum_i w_i KL(p_i || q_i) = sum_i w_i sum_v p_iv (log p_iv - log q_iv).
 *
 * Outputs: loss [], q [n, V].
 * Since dz = w (q - p), dh = w ((q - p) E) and dE = (q - p)^T (w h).
 * log q = z - max(z) + log(max(q)), as in `linearCrossEntropy`.
 */
export const linearDivergence = defineOp<Record<string, never>>({
  name: "linearDivergence",
  infer([h, head]) {
    expectRank("linearDivergence", h!.shape, 2)
    return [
      { dtype: "f32", shape: [] },
      { dtype: "f32", shape: [h!.shape[0]!, head!.shape[0]!] },
    ]
  },
  vjp(g, { inputs: [h, head, p, weights], outputs: [, q] }, [dLoss], needs) {
    const column = g.mul(g.reshape(weights!, [h!.shape[0]!, 1]), dLoss!)
    const apart = g.sub(q!, p!)
    return [
      needs[0] ? g.mul(g.gemm(apart, head!), column) : null,
      needs[1] ? g.gemm(apart, g.mul(h!, column), { transA: true }) : null,
      null,
      null,
    ]
  },
  emit(e, _node, [h, head, p, weights], [loss, q]) {
    const [z] = e.node("Gemm", [h!, head!], { transB: int(1) })
    e.node("Softmax", [z!], { axis: int(-1) }, { outputs: [q!] })
    const max = (name: string) => e.node("ReduceMax", [name, e.ints([-1])], { keepdims: int(1) })[0]!
    const [logBest] = e.node("Log", [max(q!)])
    const [shift] = e.node("Sub", [max(z!), logBest!])
    const [logQ] = e.node("Sub", [z!, shift!])
    const [safe] = e.node("Add", [p!, e.scalar(TINY)])
    const [logP] = e.node("Log", [safe!])
    const [gap] = e.node("Sub", [logP!, logQ!])
    const [terms] = e.node("Mul", [p!, gap!])
    const [rows] = e.node("ReduceSum", [terms!, e.ints([-1])], { keepdims: int(0) })
    const [weighted] = e.node("Mul", [rows!, weights!])
    e.node("ReduceSum", [weighted!], { keepdims: int(0) }, { outputs: [loss!] })
  },
})
