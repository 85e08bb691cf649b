/**
 * @module Attention's own operators: the mask of training, and attention over a KV cache for decoding.
 */
import { type Dim, product, type Shape } from "../dim.ts"
import { type Attributes, defineOp, type Emitter, float, int, ints, microsoft, type OpNode } from "../op.ts"
import { emitCount, emitMask, isPositive, MASKED, plus } from "./attention-mask.ts"
import { emitStep } from "./step-attention.ts"

/** Settings of a mask. */
export interface MaskAttrs {
  /** Queries, T. */
  readonly length: Dim
  /** Keys that stand before the queries' own. */
  readonly before: number
  /** Positions that a query sees, its own included; null for all before it. */
  readonly window: number | null
}

/**
 * A [T, before + T] mask to add to scores: 0 where a query sees a key, {@link MASKED} elsewhere. The query of row t stands
 * at position before + t; it sees positions up to its own, of which a window leaves the last `window`.
 */
export const causalMask = defineOp<MaskAttrs>({
  name: "causalMask",
  infer: (_inputs, { length, before }) => [
    { dtype: "f32", shape: [length, before === 0 ? length : typeof length === "number" ? before + length : "Seen"] },
  ],
  vjp: null,
  emit(e, { attrs: { length, before, window } }, _inputs, outputs) {
    const count = emitCount(e, length)
    let keys = count
    if (before > 0) {
      const [first] = e.node("Cast", [e.ints(Array.from({ length: before }, (_, i) => i + 1 - before))], { to: int(1) })
      keys = e.node("Concat", [first!, count], { axis: int(0) })[0]!
    }
    const [rows] = e.node("Unsqueeze", [count, e.ints([1])])
    const [columns] = e.node("Unsqueeze", [keys, e.ints([0])])
    emitMask(e, e.node("Sub", [columns!, rows!])[0]!, window, outputs)
  },
})

/** Settings of cached attention. */
export interface CachedAttentionAttrs {
  readonly heads: number
  readonly kvHeads: number
  readonly scale: number
  /** Rotate queries and keys here, by tables that come after the other inputs. */
  readonly rotary: boolean
  /** Positions that a query sees, its own included; null for all before it. */
  readonly window: number | null
  /** Scores s become c tanh(s / c) with this c, or stay as they are. */
  readonly cap: number | null
  /**
   * Queries, keys and values come side by side as one input, [B, T, (heads + 2 kvHeads) * D], in place of three. For layers
   * without a window or a cap. @default {false}
   */
  readonly packed?: boolean
}

/**
 * Causal attention of new tokens over a cache and themselves.
 * Inputs: q [B, T, heads * D], k and v [B, T, kvHeads * D], pastK and pastV [B, kvHeads, P, D], last i32 [B] (index of
 * each row's last position after this run), total i32 [1] (positions after this run, the longest row's), places i64
 * [B, kvHeads, T, 1] and positions i64 [B, T] (both the new tokens' positions), and with `rotary` cos and sin [P, D/2].
 * Rows of more than one token are for B = 1.
 * Outputs: y on flat rows [B * T, heads * D], and the new keys and values [B, kvHeads, T, D].
 *
 * Caches may come as [B, kvHeads, 1, P, D], which is how steps read them, without a node to make them so; the new keys and
 * values are then [B, kvHeads, 1, T, D]. Only `fused` takes that.
 *
 * A node of the engine's own computes it, but for a window or a cap under `standard`, which WebGPU's may lack, and but for
 * rows of one token under `fused` (`step-attention.ts`).
 * https://github.com/microsoft/onnxruntime/blob/main/docs/ContribOperators.md#com.microsoft.GroupQueryAttention
 */
export const cachedAttention = defineOp<CachedAttentionAttrs>({
  name: "cachedAttention",
  infer(inputs, { heads, kvHeads, rotary, window, cap, packed = false }) {
    if ((rotary || packed) && (window !== null || cap !== null))
      throw new TypeError("Attention within a window or under a cap takes queries and keys apart, and rotated")
    const [q, pastK] = [inputs[0]!, inputs[packed ? 1 : 3]!]
    const [batch, length] = q.shape
    const headDim = pastK.shape.at(-1) as number
    const isApart = pastK.shape.length === 5
    const added = { dtype: q.dtype, shape: [batch!, kvHeads, ...(isApart ? [1] : []), length!, headDim] }
    return [{ dtype: q.dtype, shape: [product([batch!, length!]), heads * headDim] }, added, added]
  },
  vjp: null,
  emit(e, node, inputs, outputs) {
    const { window, cap, packed = false } = node.attrs
    const own = packed ? [inputs[0]!] : inputs.slice(0, 3)
    const past = node.inputs[own.length]!
    const isApart = past.shape.length === 5
    /** The engine's own node, whose y has an axis for the rows of each sequence, and whose caches none of 1. */
    const emitFlat = ([y, ...added]: readonly string[]) => {
      const grouped = `${y}:grouped`
      const [pastK, pastV, ...rest] = inputs.slice(own.length)
      const together = e.ints([0, 0, -1, past.shape.at(-1) as number])
      const caches = [pastK!, pastV!].map((x) => (isApart ? e.node("Reshape", [x, together])[0]! : x))
      const plain = added.map((name) => (isApart ? `${name}:plain` : name))
      emitGrouped(e, node.attrs, [...own, ...caches, ...rest], [grouped, ...plain])
      if (isApart)
        for (const [i, name] of added.entries()) e.node("Unsqueeze", [plain[i]!, e.ints([2])], {}, { outputs: [name] })
      e.node("Reshape", [grouped, e.ints([-1, node.outputs[0]!.shape[1] as number])], {}, { outputs: [y!] })
    }
    if (e.lowering === "standard") {
      if (isApart) throw new TypeError("cachedAttention takes caches [B, kvHeads, P, D] under standard")
      if (window !== null || cap !== null) emitPrimitives(e, node, inputs, outputs)
      else emitFlat(outputs)
      return
    }
    const length = node.inputs[0]!.shape[1]!
    const isStep = e.once("is_step", () => e.node("Equal", [e.dims([length]), e.ints([1])])[0]!)
    const namesIn = (branch: string) => outputs.map((name) => `${name}:${branch}`)
    const then = () => {
      const [pastK, pastV, , , , positions, cos, sin] = inputs.slice(own.length)
      const sizes = { ...node.attrs, past }
      const made = namesIn("step")
      emitStep(e, sizes, { own, pastK: pastK!, pastV: pastV!, positions: positions!, cos, sin }, made)
      return made
    }
    const otherwise = () => {
      const made = namesIn("prompt")
      emitFlat(made)
      return made
    }
    const made = outputs.map((name, i) => ({ name, dtype: node.outputs[i]!.dtype }))
    e.choose(isStep, { then, otherwise }, made)
  },
})

/** The engine's own node. It copies the caches to put the new keys and values into them, each as often as heads share it. */
function emitGrouped(
  e: Emitter,
  { heads, kvHeads, scale, rotary, window, cap, packed = false }: CachedAttentionAttrs,
  inputs: readonly string[],
  outputs: readonly string[],
): void {
  const own = packed ? [inputs[0]!, "", ""] : inputs.slice(0, 3)
  const [pastK, pastV, last, total, places, , ...tables] = inputs.slice(packed ? 1 : 3)
  const attributes: Attributes = {
    num_heads: int(heads),
    kv_num_heads: int(kvHeads),
    scale: float(scale),
    do_rotary: int(+rotary),
    ...(window !== null && { local_window_size: int(window) }),
    ...(cap !== null && { softcap: float(cap) }),
  }
  const [, keys, values] = e.node(
    "GroupQueryAttention",
    [...own, pastK!, pastV!, last!, total!, ...tables],
    attributes,
    { domain: microsoft, outputs: [outputs[0]!, ...["K", "V"].map((which) => `${outputs[0]}:present${which}`)] },
  )
  for (const [cache, output] of [
    [keys!, outputs[1]!],
    [values!, outputs[2]!],
  ] as const)
    e.node("GatherND", [cache, places!], { batch_dims: int(2) }, { outputs: [output] })
}

/** Attention over the cache as it was and over the new tokens, side by side in one softmax. */
function emitPrimitives(
  e: Emitter,
  { inputs: [q, k, , pastK], attrs }: OpNode<CachedAttentionAttrs>,
  [qn, kn, vn, pastKn, pastVn, , , , positions]: readonly string[],
  [y, newK, newV]: readonly string[],
): void {
  const { heads, kvHeads: K, scale, window, cap } = attrs
  const [B, T, width] = q!.shape as [Dim, Dim, number]
  const [D, G, P] = [width / heads, heads / K, pastK!.shape[2]!]
  const GT = product([G, T])
  const reshape = (x: string, shape: Shape) => e.node("Reshape", [x, e.dims(shape)])[0]!
  const transpose = (x: string, perm: readonly number[], outputs?: readonly string[]) =>
    e.node("Transpose", [x], { perm: ints(perm) }, outputs ? { outputs } : {})[0]!
  const product2 = (a: string, b: string) => e.node("MatMul", [a, b])[0]!
  const queries = reshape(transpose(reshape(qn!, [B, T, K, G, D]), [0, 2, 3, 1, 4]), [B, K, GT, D])
  const keys = transpose(reshape(kn!, k!.shape.slice(0, 2).concat(K, D)), [0, 2, 1, 3], [newK!])
  const values = transpose(reshape(vn!, [B, T, K, D]), [0, 2, 1, 3], [newV!])
  const scores = (against: string, count: Dim) => {
    const found = product2(queries, transpose(against, [0, 1, 3, 2]))
    const scaled = e.node("Mul", [reshape(found, [B, K, G, T, count]), e.scalar(scale)])[0]!
    if (cap === null) return scaled
    const [t] = e.node("Tanh", [e.node("Div", [scaled, e.scalar(cap)])[0]!])
    return e.node("Mul", [t!, e.scalar(cap)])[0]!
  }
  // Positions as f32: of queries [B, 1, 1, T, 1], of the first new token [B, 1, 1, 1, 1], of cached keys [P].
  const [at] = e.node("Cast", [reshape(positions!, [B, 1, 1, T, 1])], { to: int(1) })
  const [first] = e.node("Slice", [at!, e.ints([0]), e.ints([1]), e.ints([3])])
  const cached = plus(e, emitCount(e, P), -1)
  // What the cache holds from the first new position on is of no row yet.
  const unwritten = isPositive(e, plus(e, e.node("Sub", [cached, first!])[0]!, 1))
  const [unwrittenMask] = e.node("Mul", [unwritten, e.scalar(MASKED)])
  const pastMask = e.node("Add", [emitMask(e, e.node("Sub", [cached, at!])[0]!, window), unwrittenMask!])[0]!
  const count = emitCount(e, T)
  const [rows] = e.node("Unsqueeze", [count, e.ints([1])])
  const [columns] = e.node("Unsqueeze", [count, e.ints([0])])
  const ownMask = emitMask(e, e.node("Sub", [columns!, rows!])[0]!, window)
  const masked = [e.node("Add", [scores(pastKn!, P), pastMask])[0]!, e.node("Add", [scores(keys, T), ownMask])[0]!]
  const [all] = e.node("Concat", masked, { axis: int(4) })
  const [weights] = e.node("Softmax", [all!], { axis: int(-1) })
  const [early, own] = e.node(
    "Split",
    [weights!, e.node("Concat", [e.dims([P]), e.dims([T])], { axis: int(0) })[0]!],
    { axis: int(4) },
    { outputs: 2 },
  )
  const mixed = e.node("Add", [
    product2(reshape(early!, [B, K, GT, P]), pastVn!),
    product2(reshape(own!, [B, K, GT, T]), values),
  ])[0]!
  const apart = transpose(reshape(mixed, [B, K, G, T, D]), [0, 3, 1, 2, 4])
  e.node("Reshape", [apart, e.ints([-1, width])], {}, { outputs: [y!] })
}
