/**
 * @module Cross-entropy of a linear head, with no one-hot matrix ever stored.
 */
import { defineOp, type Emitter, expectRank, int } from "../op.ts"

/** Settings of a linear head's losses. */
export interface HeadAttrs {
  /** Logits z become c tanh(z / c) with this c, or stay as they are. */
  readonly cap: number | null
}

/** Emits h E^T, under its cap: the logits, and where there is a cap their slope 1 - tanh^2, [n, V] each. */
export function emitLogits(e: Emitter, h: string, head: string, { cap }: HeadAttrs, slope: string | undefined): string {
  const [z] = e.node("Gemm", [h, head], { transB: int(1) })
  if (cap === null) return z!
  const [t] = e.node("Tanh", [e.node("Div", [z!, e.scalar(cap)])[0]!])
  e.node("Sub", [e.scalar(1), e.node("Mul", [t!, t!])[0]!], {}, { outputs: [slope!] })
  return e.node("Mul", [t!, e.scalar(cap)])[0]!
}

/**
 * For rows h [n, C], head E [V, C], labels i64 [n], weights w [n] (all f32 but the labels), with logits z = h E^T:
 * loss = sum_i w_i (logsumexp(z_i) - z_i[label_i]), and correct = the number of rows whose label has the largest logit.
 *
 * Outputs: loss [], correct [], p = softmax(z) [n, V], and with a cap the slope of each logit under it, which multiplies dz.
 * Since dz = w (p - onehot), dh = w ((p - onehot) E) = w (p E - E[label]) and dE = (p - onehot)^T (w h).
 * logsumexp(z) = max(z) - log(max(p)) spares two passes over [n, V], and max(p) >= 1/V keeps the logarithm safe.
 */
export const linearCrossEntropy = defineOp<HeadAttrs>({
  name: "linearCrossEntropy",
  infer([h, head], { cap }) {
    expectRank("linearCrossEntropy", h!.shape, 2)
    const logits = { dtype: "f32", shape: [h!.shape[0]!, head!.shape[0]!] } as const
    const scalar = { dtype: "f32", shape: [] } as const
    return [scalar, scalar, logits, ...(cap === null ? [] : [logits])]
  },
  vjp(g, { inputs: [h, head, labels, weights], outputs: [, , p, slope] }, [dLoss], needs) {
    const column = g.mul(g.reshape(weights!, [h!.shape[0]!, 1]), dLoss!)
    const dz = () => {
      const [found] = g.apply(minusOneHot, [p!, labels!], {})
      return slope ? g.mul(found!, slope) : found!
    }
    // Towards h alone, rows of E are taken away instead, which spares a copy of p.
    const mixed = () => (needs[1] || slope ? g.gemm(dz(), head!) : g.sub(g.gemm(p!, head!), g.gather(head!, labels!)))
    return [
      needs[0] ? g.mul(mixed(), column) : null,
      needs[1] ? g.gemm(dz(), g.mul(h!, column), { transA: true }) : null,
      null,
      null,
    ]
  },
  emit(e, { attrs }, [h, head, labels, weights], [loss, correct, p, slope]) {
    const z = emitLogits(e, h!, head!, attrs, slope)
    e.node("Softmax", [z], { axis: int(-1) }, { outputs: [p!] })
    const max = (name: string) => e.node("ReduceMax", [name, e.ints([-1])], { keepdims: int(0) })[0]!
    const best = max(z)
    const [logBest] = e.node("Log", [max(p!)])
    const [column] = e.node("Unsqueeze", [labels!, e.ints([1])])
    const [picked] = e.node("GatherElements", [z, column!], { axis: int(1) })
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

/** p [n, V] less 1 at each row's label. */
export const minusOneHot = defineOp<Record<string, never>>({
  name: "minusOneHot",
  infer: ([p]) => [p!],
  vjp: null,
  emit(e, { inputs: [p] }, [pn, labels], outputs) {
    const [rows, vocabulary] = p!.shape
    const [column] = e.node("Unsqueeze", [labels!, e.ints([1])])
    if (e.lowering === "fused") {
      const [less] = e.node("Expand", [e.scalar(-1), e.dims([rows!, 1])])
      const adding = { reduction: { kind: "string", value: "add" } } as const
      e.node("ScatterElements", [pn!, column!, less!], { axis: int(1), ...adding }, { outputs })
      return
    }
    // In f32, in which WebGPU compares: a vocabulary is far below 2^24.
    const [ones] = e.node("Expand", [e.scalar(1), e.dims([vocabulary!])])
    const [count] = e.node("CumSum", [ones!, e.scalar(0, "i64")])
    const [ids] = e.node("Sub", [count!, e.scalar(1)])
    const [wanted] = e.node("Cast", [column!], { to: int(1) })
    const [same] = e.node("Equal", [ids!, wanted!])
    const [oneHot] = e.node("Cast", [same!], { to: int(1) })
    e.node("Sub", [pn!, oneHot!], {}, { outputs })
  },
})
