/**
 * @module Operators that move elements and compute nothing.
 */
import { type Dim, parseDim, product, type Shape, sameShape, sum } from "../dim.ts"
import { axisOf, defineOp, int, ints } from "../op.ts"

/** Settings of another shape. */
export interface ReshapeAttrs {
  readonly shape: Shape
  /** Leading axes that stay, whose sizes the node then takes from its input: it need not be told symbolic ones. */
  readonly staying: number
}

/** The same elements in another shape. */
export const reshape = defineOp<ReshapeAttrs>({
  name: "reshape",
  infer([x], { shape, staying }) {
    if (!sameShape(x!.shape.slice(0, staying), shape.slice(0, staying)))
      throw new TypeError(`The first ${staying} axes of [${x!.shape}] don't stay in [${shape}]`)
    if (product(x!.shape) !== product(shape)) throw new TypeError(`Can't reshape [${x!.shape}] to [${shape}]`)
    return [{ dtype: x!.dtype, shape }]
  },
  vjp: (g, { inputs: [x] }, [dy]) => [g.reshape(dy!, x!.shape)],
  emit(e, { attrs: { shape, staying } }, [x], outputs) {
    const told = shape.slice(staying)
    const symbolic = told.filter((dim) => typeof dim !== "number").length
    const zeros = new Array<number>(staying).fill(0)
    const target =
      symbolic <= 1 ? e.ints([...zeros, ...told.map((dim) => (typeof dim === "number" ? dim : -1))]) : e.dims(shape)
    e.node("Reshape", [x!, target], {}, { outputs })
  },
})

/** Axes in another order: output axis i is input axis perm[i]. */
export const transpose = defineOp<{ readonly perm: readonly number[] }>({
  name: "transpose",
  infer: ([x], { perm }) => [{ dtype: x!.dtype, shape: perm.map((axis) => x!.shape[axisOf(axis, x!.shape.length)]!) }],
  vjp(g, { attrs: { perm } }, [dy]) {
    const inverse = perm.map((_, i) => perm.indexOf(i))
    return [g.transpose(dy!, inverse)]
  },
  emit: (e, { attrs: { perm } }, inputs, outputs) =>
    void e.node("Transpose", inputs, { perm: ints(perm) }, { outputs }),
})

/** Tensors one after the other along an axis; `dim` names the joint size where the sum has no spelling. */
export const concat = defineOp<{ readonly axis: number; readonly dim: number | string | null }>({
  name: "concat",
  infer(inputs, { axis, dim }) {
    const joint = dim ?? sum(inputs.map((x) => x.shape[axis]!))
    if (joint === null)
      throw new TypeError(`concat of ${inputs.map((x) => `[${x.shape}]`).join(", ")} needs a name for its joint size`)
    return [{ dtype: inputs[0]!.dtype, shape: inputs[0]!.shape.map((size, i) => (i === axis ? joint : size)) }]
  },
  vjp(g, { inputs, attrs: { axis } }, [dy]) {
    return g.split(
      dy!,
      axis,
      inputs.map((x) => x.shape[axis]!),
    )
  },
  emit: (e, { attrs: { axis } }, inputs, outputs) => void e.node("Concat", inputs, { axis: int(axis) }, { outputs }),
})

/** A tensor cut along an axis into parts of the given sizes. */
export const split = defineOp<{ readonly axis: number; readonly sizes: Shape }>({
  name: "split",
  infer([x], { axis, sizes }) {
    return sizes.map((size) => ({ dtype: x!.dtype, shape: x!.shape.map((dim, i) => (i === axis ? size : dim)) }))
  },
  vjp(g, { inputs: [x], outputs, attrs: { axis } }, grads) {
    const parts = grads.map((grad, i) => grad ?? g.zeros(outputs[i]!.shape))
    return [g.concat(parts, axis, x!.shape[axis]!)]
  },
  emit(e, { attrs: { axis, sizes } }, [x], outputs) {
    e.node("Split", [x!, e.dims(sizes)], { axis: int(axis) }, { outputs })
  },
})

/**
 * A tensor cut in the middle of an axis of at least 2; of an odd size the first half is the longer. The halves of a
 * symbolic size T are named T_first and T_rest.
 */
export const halve = defineOp<{ readonly axis: number }>({
  name: "halve",
  infer([x], { axis }) {
    const half = (which: 0 | 1) => ({
      dtype: x!.dtype,
      shape: x!.shape.map((dim, i) => (i === axis ? halfOf(dim, which) : dim)),
    })
    return [half(0), half(1)]
  },
  vjp(g, { inputs: [x], outputs, attrs: { axis } }, grads) {
    const parts = grads.map((grad, i) => grad ?? g.zeros(outputs[i]!.shape))
    return [g.concat(parts, axis, x!.shape[axis]!)]
  },
  emit(e, { attrs: { axis } }, inputs, outputs) {
    e.node("Split", inputs, { axis: int(axis), num_outputs: int(2) }, { outputs })
  },
})

function halfOf(dim: Dim, which: 0 | 1): Dim {
  if (typeof dim === "number") return which === 0 ? Math.ceil(dim / 2) : Math.floor(dim / 2)
  if (parseDim(dim).coefficient !== 1) throw new TypeError(`The halves of ${dim} have no name`)
  return `${dim.replaceAll("*", "_")}_${which === 0 ? "first" : "rest"}`
}

/** Settings of taking and adding rows. */
export interface RowsAttrs {
  /**
   * Whether no two indices are equal but where all that is added there is zero. A faster addition is enough then: the
   * one below it loses updates when threads meet in a row.
   */
  readonly distinct: boolean
}

/** Rows of a table: data [n, ...], indices i64 [...] -> [...indices, ...]. Equal indices add up in the gradient. */
export const gather = defineOp<RowsAttrs>({
  name: "gather",
  infer: ([data, indices]) => [{ dtype: data!.dtype, shape: [...indices!.shape, ...data!.shape.slice(1)] }],
  vjp(g, { inputs: [data, indices], attrs }, [dy], needs) {
    if (!needs[0]) return [null, null]
    const flat = g.reshape(indices!, [product(indices!.shape)])
    const updates = g.reshape(dy!, [product(indices!.shape), ...data!.shape.slice(1)])
    return [g.scatterAdd(g.zeros(data!.shape), flat, updates, attrs), null]
  },
  emit: (e, _node, inputs, outputs) => void e.node("Gather", inputs, { axis: int(0) }, { outputs }),
})

/**
 * base [n, ...] plus updates [k, ...] added at the rows indices i64 [k]; equal indices add up.
 *
 * ONNX Runtime's ScatterND adds from several threads without a lock on the CPU, so that updates of equal rows are lost
 * (https://github.com/microsoft/onnxruntime/issues/18048); its ScatterElements goes one by one.
 */
export const scatterAdd = defineOp<RowsAttrs>({
  name: "scatterAdd",
  infer: ([base]) => [base!],
  vjp: (g, { inputs: [, indices], attrs }, [dy], needs) => [
    needs[0] ? dy! : null,
    null,
    needs[2] ? g.gather(dy!, indices!, attrs) : null,
  ],
  emit(e, { inputs: [, , updates], attrs: { distinct } }, [base, indices, un], outputs) {
    const adding = { reduction: { kind: "string", value: "add" } } as const
    const axes = Array.from({ length: updates!.shape.length - 1 }, (_, i) => i + 1)
    const [column] = e.node("Unsqueeze", [indices!, e.ints(distinct || e.lowering === "standard" ? [1] : axes)])
    if (distinct || e.lowering === "standard") {
      e.node("ScatterND", [base!, column!, un!], adding, { outputs })
      return
    }
    const [each] = e.node("Expand", [column!, e.dims(updates!.shape)])
    e.node("ScatterElements", [base!, each!, un!], { axis: int(0), ...adding }, { outputs })
  },
})

/** A tensor repeated along axes of size 1, and along new leading axes, up to `shape`. */
export const expand = defineOp<{ readonly shape: Shape }>({
  name: "expand",
  infer: ([x], { shape }) => [{ dtype: x!.dtype, shape }],
  vjp: (g, { inputs: [x] }, [dy]) => [g.sumTo(dy!, x!.shape)],
  emit(e, { inputs: [x], attrs: { shape } }, [xn], outputs) {
    if (sameShape(x!.shape, shape)) e.node("Identity", [xn!], {}, { outputs })
    else e.node("Expand", [xn!, e.dims(shape)], {}, { outputs })
  },
})

/** Zeros of a shape. */
export const zeros = defineOp<{ readonly shape: Shape }>({
  name: "zeros",
  infer: (_inputs, { shape }) => [{ dtype: "f32", shape }],
  vjp: null,
  emit: (e, { attrs: { shape } }, _inputs, outputs) => void e.node("ConstantOfShape", [e.dims(shape)], {}, { outputs }),
})
