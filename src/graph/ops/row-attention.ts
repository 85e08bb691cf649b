/**
 * @module Attention of whole rows, for training and scoring, and its gradient. Heads that share a key are laid along the
 * rows of one matrix, so that no key is copied.
 */
import { product, type Shape } from "../dim.ts"
import type { Spec, Value } from "../ir.ts"
import { defineOp, expectRank, float, int, ints } from "../op.ts"

/** Settings of attention over whole rows. */
export interface RowAttentionAttrs {
  readonly heads: number
  readonly kvHeads: number
  readonly scale: number
}

/** The Attention operator's `qk_matmul_output_mode` that gives what softmax gave. */
const AFTER_SOFTMAX = 3

/**
 * y = softmax(scale q k^T + mask) v, head by head.
 * Inputs: q [B, T, heads * D], k and v [B, S, kvHeads * D], mask [T, S] added to each head's scores.
 * Outputs: y [B, T, heads * D] and the weights p [B, heads, T, S].
 *
 * Gradient: dv = p^T dy and ds = p (dp - r) with dp = dy v^T and r = sum_j p_j dp_j. As p v = y, r is the sum of dy y over
 * a head's features (https://arxiv.org/abs/2205.14135, appendix B.2): cheap, and known before dp. Then dq = scale ds k and
 * dk = scale ds^T q. Of the products whose left factor is transposed, the transpose of the result is computed instead,
 * so that [T, S] is read along its rows.
 */
export const rowAttention = defineOp<RowAttentionAttrs>({
  name: "rowAttention",
  infer([q, k, v, mask], attrs) {
    const { B, T, S } = sizesOf(q!, k!, attrs)
    if (v!.shape.join() !== k!.shape.join() || mask!.shape.join() !== [T, S].join()) {
      throw new TypeError(
        `rowAttention of keys [${k!.shape}] can't take values [${v!.shape}] and mask [${mask!.shape}]`,
      )
    }
    return [
      { dtype: q!.dtype, shape: q!.shape },
      { dtype: q!.dtype, shape: [B, attrs.heads, T, S] },
    ]
  },
  vjp(g, { inputs: [q, k, v], outputs: [y, p], attrs }, [dy], needs) {
    const { B, T, S, K, G, D, GT } = sizesOf(q!, k!, attrs)
    const grouped = (x: Value) => g.reshape(g.transpose(g.reshape(x, [B, T, K, G, D]), [0, 2, 3, 1, 4]), [B, K, GT, D])
    const perKey = (x: Value) => g.transpose(g.reshape(x, [B, S, K, D]), [0, 2, 1, 3]) // [B, K, S, D]
    const dyGrouped = grouped(dy!)
    const given = g.reduceSum(g.reshape(g.mul(dy!, y!), [B, T, K, G, D]), [-1]) // r, [B, T, K, G]
    const r = g.reshape(g.transpose(given, [0, 2, 3, 1]), [B, K, GT, 1])
    const weights = g.reshape(p!, [B, K, GT, S])
    const ds = () => g.mul(g.sub(g.matmul(dyGrouped, perKey(v!), { transB: true }), r), weights)
    const dq = () => {
      const found = g.reshape(g.matmul(ds(), perKey(k!), { alpha: attrs.scale }), [B, K, G, T, D])
      return g.reshape(g.transpose(found, [0, 3, 1, 2, 4]), q!.shape)
    }
    /** left^T [T, S], as its transpose. */
    const towardsKeys = (left: Value, right: Value, alpha: number) => {
      const found = g.matmul(left, right, { transA: true, alpha }) // [B, K, D, S]
      return g.reshape(g.transpose(found, [0, 3, 1, 2]), k!.shape)
    }
    return [
      needs[0] ? dq() : null,
      needs[1] ? towardsKeys(grouped(q!), ds(), attrs.scale) : null,
      needs[2] ? towardsKeys(dyGrouped, weights, 1) : null,
      null,
    ]
  },
  emit(e, { inputs: [q, k], attrs }, [qn, kn, vn, mask], [y, p]) {
    const { heads, kvHeads, scale } = attrs
    if (e.lowering === "fused") {
      e.node(
        "Attention",
        [qn!, kn!, vn!, mask!],
        {
          q_num_heads: int(heads),
          kv_num_heads: int(kvHeads),
          scale: float(scale),
          qk_matmul_output_mode: int(AFTER_SOFTMAX),
        },
        { outputs: [y!, "", "", p!] },
      )
      return
    }
    const { B, T, S, K, G, D, GT } = sizesOf(q!, k!, attrs)
    const reshape = (x: string, shape: Shape) => e.node("Reshape", [x, e.dims(shape)])[0]!
    const transpose = (x: string, perm: readonly number[]) => e.node("Transpose", [x], { perm: ints(perm) })[0]!
    const queries = reshape(transpose(reshape(qn!, [B, T, K, G, D]), [0, 2, 3, 1, 4]), [B, K, GT, D])
    const [scores] = e.node("MatMul", [queries, transpose(reshape(kn!, [B, S, K, D]), [0, 2, 3, 1])])
    const [scaled] = e.node("Mul", [scores!, e.scalar(scale)])
    const [masked] = e.node("Add", [reshape(scaled!, [B, heads, T, S]), mask!])
    e.node("Softmax", [masked!], { axis: int(-1) }, { outputs: [p!] })
    const values = transpose(reshape(vn!, [B, S, K, D]), [0, 2, 1, 3])
    const [mixed] = e.node("MatMul", [reshape(p!, [B, K, GT, S]), values])
    const apart = transpose(reshape(mixed!, [B, K, G, T, D]), [0, 3, 1, 2, 4])
    e.node("Reshape", [apart, e.dims(q!.shape)], {}, { outputs: [y!] })
  },
})

/** B rows of T queries over S keys, K key heads of G query heads each, D features a head. */
function sizesOf(q: Spec, k: Spec, { heads, kvHeads: K }: RowAttentionAttrs) {
  for (const { shape } of [q, k]) expectRank("rowAttention", shape, 3)
  const [B, T, width] = q.shape
  const [, S, keyWidth] = k.shape
  const D = (width as number) / heads
  const G = heads / K
  if (!Number.isInteger(D) || !Number.isInteger(G) || keyWidth !== K * D) {
    throw new TypeError(`rowAttention of ${heads} heads over ${K} can't take [${q.shape}] and [${k.shape}]`)
  }
  return { B: B!, T: T!, S: S!, K, G, D, GT: product([G, T!]) }
}
