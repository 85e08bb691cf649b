/**
 * @module Normalisation over the last axis.
 */

import type { GraphBuilder } from "../builder.ts"
import type { Value } from "../ir.ts"
import { defineOp, type Emitter, float, int, microsoft } from "../op.ts"

/** Settings of a norm. */
export interface NormAttrs {
  readonly epsilon: number
}

/** Size of the axis normalised over, which must be fixed. */
function width(value: Value): number {
  const size = value.shape.at(-1)
  if (typeof size !== "number") throw new TypeError(`A norm needs a fixed last axis but found [${value.shape}]`)
  return size
}

const mean = (g: GraphBuilder, x: Value): Value => g.mul(g.reduceSum(x, [-1], true), 1 / width(x))

/** Emits the mean over the last axis. */
const emitMean = (e: Emitter, x: string): string => e.node("ReduceMean", [x, e.ints([-1])], { keepdims: int(1) })[0]!

/** Emits 1 / sqrt(v + epsilon). */
function emitInverse(e: Emitter, variance: string, epsilon: number, outputs: readonly string[]): void {
  const [shifted] = e.node("Add", [variance, e.scalar(epsilon)])
  const [root] = e.node("Sqrt", [shifted!])
  e.node("Reciprocal", [root!], {}, { outputs })
}

/**
 * y = x r w with r = 1 / sqrt(mean(x^2) + epsilon). https://arxiv.org/abs/1910.07467
 * Outputs y [..., n] and r [..., 1]. With h = dy w: dx = r (h - x r^2 mean(h x)).
 */
export const rmsNorm = defineOp<NormAttrs>({
  name: "rmsNorm",
  infer: ([x]) => [x!, { dtype: x!.dtype, shape: [...x!.shape.slice(0, -1), 1] }],
  vjp(g, { inputs: [x, w], outputs: [, r] }, [dy], needs) {
    const unit = g.mul(x!, r!)
    const dx = () => {
      const h = g.mul(dy!, w!)
      return g.mul(g.sub(h, g.mul(unit, mean(g, g.mul(h, unit)))), r!)
    }
    return [needs[0] ? dx() : null, needs[1] ? g.sumTo(g.mul(dy!, unit), w!.shape) : null]
  },
  emit: (e, { attrs }, [x, w], [y, r]) => emitRmsNorm(e, attrs, [x!, w!], [y!, r!]),
})

function emitRmsNorm(
  e: Emitter,
  { epsilon }: NormAttrs,
  [x, w]: readonly [string, string],
  [y, r]: readonly [string, string],
): void {
  if (e.lowering === "fused") {
    // Outputs are y and, second, the inverse deviation. WebGPU returns that second one wrong, hence the other branch.
    e.node("SimplifiedLayerNormalization", [x, w], { epsilon: float(epsilon), axis: int(-1) }, { outputs: [y, r] })
    return
  }
  const [square] = e.node("Mul", [x, x])
  emitInverse(e, emitMean(e, square!), epsilon, [r])
  const [unit] = e.node("Mul", [x, r])
  e.node("Mul", [unit!, w], {}, { outputs: [y] })
}

/**
 * The sum of two tensors of one shape, and its {@link rmsNorm}: the stream of a layer and what the next one reads, in one
 * pass. For graphs without gradients. Outputs y and the sum, [..., n] each.
 * https://github.com/microsoft/onnxruntime/blob/main/docs/ContribOperators.md#com.microsoft.SkipSimplifiedLayerNormalization
 */
export const addRmsNorm = defineOp<NormAttrs>({
  name: "addRmsNorm",
  infer([a, b]) {
    if (a!.shape.join() !== b!.shape.join())
      throw new TypeError(`Expected two tensors of one shape but found [${a!.shape}] and [${b!.shape}]`)
    return [a!, a!]
  },
  vjp: null,
  emit(e, node, [a, b, w], [y, sum]) {
    const epsilon = float(node.attrs.epsilon)
    if (e.lowering === "fused") {
      e.node(
        "SkipSimplifiedLayerNormalization",
        [a!, b!, w!],
        { epsilon },
        { domain: microsoft, outputs: [y!, "", "", sum!] },
      )
      return
    }
    e.node("Add", [a!, b!], {}, { outputs: [sum!] })
    emitRmsNorm(e, node.attrs, [sum!, w!], [y!, `${y}:inverse`])
  },
})

/**
 * y = (x - mean) r w + b with r = 1 / sqrt(var + epsilon). https://arxiv.org/abs/1607.06450
 * Outputs y [..., n], the mean [..., 1] and r [..., 1]. With h = dy w and u = (x - mean) r:
 * dx = r (h - mean(h) - u mean(h u)).
 */
export const layerNorm = defineOp<NormAttrs>({
  name: "layerNorm",
  infer([x]) {
    const row = { dtype: x!.dtype, shape: [...x!.shape.slice(0, -1), 1] }
    return [x!, row, row]
  },
  vjp(g, { inputs: [x, w, b], outputs: [, m, r] }, [dy], needs) {
    const unit = g.mul(g.sub(x!, m!), r!)
    const dx = () => {
      const h = g.mul(dy!, w!)
      return g.mul(g.sub(g.sub(h, mean(g, h)), g.mul(unit, mean(g, g.mul(h, unit)))), r!)
    }
    return [
      needs[0] ? dx() : null,
      needs[1] ? g.sumTo(g.mul(dy!, unit), w!.shape) : null,
      needs[2] ? g.sumTo(dy!, b!.shape) : null,
    ]
  },
  emit(e, { attrs: { epsilon } }, [x, w, b], [y, m, r]) {
    if (e.lowering === "fused") {
      e.node("LayerNormalization", [x!, w!, b!], { epsilon: float(epsilon), axis: int(-1) }, { outputs: [y!, m!, r!] })
      return
    }
    const [average] = e.node("ReduceMean", [x!, e.ints([-1])], { keepdims: int(1) }, { outputs: [m!] })
    const [centred] = e.node("Sub", [x!, average!])
    const [square] = e.node("Mul", [centred!, centred!])
    emitInverse(e, emitMean(e, square!), epsilon, [r!])
    const [unit] = e.node("Mul", [centred!, r!])
    const [scaled] = e.node("Mul", [unit!, w!])
    e.node("Add", [scaled!, b!], {}, { outputs: [y!] })
  },
})
