/**
 * @module Elementwise operators, with NumPy broadcasting where they take two operands.
 */
import { broadcast } from "../dim.ts"
import { defineOp, float, microsoft, type Op } from "../op.ts"

type None = Record<string, never>

/** An operator of two operands that is one standard ONNX node. */
function binary(name: string, opType: string, vjp: Op<None>["vjp"]): Op<None> {
  return defineOp<None>({
    name,
    infer: ([a, b]) => [{ dtype: a!.dtype, shape: broadcast(a!.shape, b!.shape) }],
    vjp,
    emit: (e, _node, inputs, outputs) => void e.node(opType, inputs, {}, { outputs }),
  })
}

/** An operator of one operand that is one standard ONNX node. */
function unary(name: string, opType: string, vjp: Op<None>["vjp"]): Op<None> {
  return defineOp<None>({
    name,
    infer: ([x]) => [x!],
    vjp,
    emit: (e, _node, inputs, outputs) => void e.node(opType, inputs, {}, { outputs }),
  })
}

export const add = binary("add", "Add", (g, { inputs: [a, b] }, [dy], needs) => [
  needs[0] ? g.sumTo(dy!, a!.shape) : null,
  needs[1] ? g.sumTo(dy!, b!.shape) : null,
])

export const sub = binary("sub", "Sub", (g, { inputs: [a, b] }, [dy], needs) => [
  needs[0] ? g.sumTo(dy!, a!.shape) : null,
  needs[1] ? g.neg(g.sumTo(dy!, b!.shape)) : null,
])

export const mul = binary("mul", "Mul", (g, { inputs: [a, b] }, [dy], needs) => [
  needs[0] ? g.sumTo(g.mul(dy!, b!), a!.shape) : null,
  needs[1] ? g.sumTo(g.mul(dy!, a!), b!.shape) : null,
])

export const div = binary("div", "Div", (g, { inputs: [a, b], outputs: [y] }, [dy], needs) => [
  needs[0] ? g.sumTo(g.div(dy!, b!), a!.shape) : null,
  needs[1] ? g.neg(g.sumTo(g.div(g.mul(dy!, y!), b!), b!.shape)) : null,
])

export const neg = unary("neg", "Neg", (g, _node, [dy]) => [g.neg(dy!)])
export const exp = unary("exp", "Exp", (g, { outputs: [y] }, [dy]) => [g.mul(dy!, y!)])
export const log = unary("log", "Log", (g, { inputs: [x] }, [dy]) => [g.div(dy!, x!)])
export const sqrt = unary("sqrt", "Sqrt", (g, { outputs: [y] }, [dy]) => [g.div(g.mul(dy!, 0.5), y!)])
export const tanh = unary("tanh", "Tanh", (g, { outputs: [y] }, [dy]) => [g.mul(dy!, g.sub(1, g.mul(y!, y!)))])
export const sigmoid = unary("sigmoid", "Sigmoid", (g, { outputs: [y] }, [dy]) => [
  g.mul(dy!, g.sub(y!, g.mul(y!, y!))),
])
/** The error function; d/dx = 2/sqrt(pi) exp(-x^2). */
export const erf = unary("erf", "Erf", (g, { inputs: [x] }, [dy]) => [
  g.mul(g.mul(dy!, 2 / Math.sqrt(Math.PI)), g.exp(g.neg(g.mul(x!, x!)))),
])
/** max(x, 0); the gradient at 0 is 0, as in PyTorch. */
export const relu = unary("relu", "Relu", (g, { inputs: [x] }, [dy]) => [g.mul(dy!, g.step(x!))])

/** 1 where x > 0, else 0. Its gradient is zero everywhere, so it has none. */
export const step = defineOp<None>({
  name: "step",
  infer: ([x]) => [x!],
  vjp: null,
  emit(e, _node, [x], outputs) {
    const [positive] = e.node("Greater", [x!, e.scalar(0)])
    e.node("Cast", [positive!], { to: { kind: "int", value: 1 } }, { outputs })
  },
})

/** silu(x) = x s(x), s the logistic function; d/dx = s + y (1 - s). https://arxiv.org/abs/1702.03118 */
export const silu = defineOp<None>({
  name: "silu",
  infer: ([x]) => [x!],
  vjp(g, { inputs: [x], outputs: [y] }, [dy]) {
    const s = g.sigmoid(x!)
    return [g.mul(dy!, g.add(s, g.sub(y!, g.mul(y!, s))))]
  },
  emit(e, _node, [x], outputs) {
    if (e.lowering === "fused") {
      e.node("QuickGelu", [x!], { alpha: float(1) }, { domain: microsoft, outputs })
    } else {
      const [s] = e.node("Sigmoid", [x!])
      e.node("Mul", [x!, s!], {}, { outputs })
    }
  },
})

const GELU_SLOPE = Math.sqrt(2 / Math.PI)
const GELU_CUBE = 0.044715

/**
 * gelu(x) = x/2 (1 + tanh(c (x + 0.044715 x^3))), c = sqrt(2/pi): the approximation of https://arxiv.org/abs/1606.08415
 * that GPT-2 uses (`gelu_new`).
 */
export const geluTanh = defineOp<None>({
  name: "geluTanh",
  infer: ([x]) => [x!],
  vjp(g, { inputs: [x] }, [dy]) {
    const square = g.mul(x!, x!)
    const t = g.tanh(g.mul(x!, g.add(g.mul(square, GELU_SLOPE * GELU_CUBE), GELU_SLOPE)))
    const inner = g.add(g.mul(square, 3 * GELU_SLOPE * GELU_CUBE), GELU_SLOPE)
    const sech = g.sub(1, g.mul(t, t))
    const slope = g.add(g.mul(g.add(t, 1), 0.5), g.mul(g.mul(g.mul(x!, 0.5), sech), inner))
    return [g.mul(dy!, slope)]
  },
  emit(e, _node, [x], outputs) {
    if (e.lowering === "fused") {
      e.node("FastGelu", [x!], {}, { domain: microsoft, outputs })
      return
    }
    const [square] = e.node("Mul", [x!, x!])
    const [cube] = e.node("Mul", [square!, e.scalar(GELU_SLOPE * GELU_CUBE)])
    const [slope] = e.node("Add", [cube!, e.scalar(GELU_SLOPE)])
    const [inner] = e.node("Mul", [x!, slope!])
    const [t] = e.node("Tanh", [inner!])
    const [one] = e.node("Add", [t!, e.scalar(1)])
    const [half] = e.node("Mul", [x!, e.scalar(0.5)])
    e.node("Mul", [half!, one!], {}, { outputs })
  },
})
