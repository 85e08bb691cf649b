/**
 * @module Cross-entropy of a linear head, with neither a one-hot matrix nor a gradient of the logits ever stored.
 */
import { defineOp, expectRank, int } from "../op.ts"

/**
 * For rows h [n, C], head E [V, C], labels i64 [n], weights w [n] (all f32 but the labels), with logits z = h E^T:
 * loss = sum_i w_i (logsumexp(z_i) - z_i[label_i]), and correct = the number of rows whose label has the largest logit.
 *
 * Outputs: loss [], correct [], p = softmax(z) [n, V].
 * Since dz = w (p - onehot), dh = w (p E - E[label]) and dE = p^T (w h) - scatter(label, w h).
 * logsumexp(z) = max(z) - log(max(p)) spares two passes over [n, V], and max(p) >= 1/V keeps the logarithm safe.
 */
export const linearCrossEntropy = defineOp<Record<string, never>>({
  name: "linearCrossEntropy",
  infer([h, head]) {
    expectRank("linearCrossEntropy", h!.shape, 2)
    return [
      { dtype: "f32", shape: [] },
      { dtype: "f32", shape: [] },
      { dtype: "f32", shape: [h!.shape[0]!, head!.shape[0]!] },
    ]
  },
  vjp(g, { inputs: [h, head, labels, weights], outputs: [, , p] }, [dLoss], needs) {
    const column = g.mul(g.reshape(weights!, [h!.shape[0]!, 1]), dLoss!)
    const dh = () => g.mul(g.sub(g.gemm(p!, head!), g.gather(head!, labels!)), column)
    const dHead = () => {
      const weighted = g.mul(h!, column)
      return g.scatterAdd(g.gemm(p!, weighted, { transA: true }), labels!, g.neg(weighted))
    }
    return [needs[0] ? dh() : null, needs[1] ? dHead() : null, null, null]
  },
  emit(e, _node, [h, head, labels, weights], [loss, correct, p]) {
    const [z] = e.node("Gemm", [h!, head!], { transB: int(1) })
    e.node("Softmax", [z!], { axis: int(-1) }, { outputs: [p!] })
    const max = (name: string) => e.node("ReduceMax", [name, e.ints([-1])], { keepdims: int(0) })[0]!
    const best = max(z!)
    const [logBest] = e.node("Log", [max(p!)])
    const [column] = e.node("Unsqueeze", [labels!, e.ints([1])])
    const [picked] = e.node("GatherElements", [z!, column!], { axis: int(1) })
    const [score] = e.node("Squeeze", [picked!, e.ints([1])])
    const [gap] = e.node("Sub", [best, score!])
    const [nll] = e.node("Sub", [gap!, logBest!])
    const [weighted] = e.node("Mul", [nll!, weights!])
    e.node("ReduceSum", [weighted!], { keepdims: int(0) }, { outputs: [loss!] })
    // A row is right when its label's logit is the largest and the row counts (weight above 0).
    const [right] = e.node("LessOrEqual", [gap!, e.scalar(0)])
    const [counts] = e.node("Greater", [weights!, e.scalar(0)])
    const [both] = e.node("And", [right!, counts!])
    const [ones] = e.node("Cast", [both!], { to: int(1) })
    e.node("ReduceSum", [ones!], { keepdims: int(0) }, { outputs: [correct!] })
  },
})
