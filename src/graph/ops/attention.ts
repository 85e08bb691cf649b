/**
 * @module Attention's own operators: the causal mask of training, and attention over a KV cache for decoding.
 */
import type { Dim } from "../dim.ts"
import { defineOp, float, int, microsoft } from "../op.ts"

/** What a masked score is set to: far below any score, and finite so that no NaN can come of it. */
const MASKED = -1e9

/** A [T, T] mask to add to scores: 0 where column <= row, {@link MASKED} elsewhere. */
export const causalMask = defineOp<{ readonly length: Dim }>({
  name: "causalMask",
  infer: (_inputs, { length }) => [{ dtype: "f32", shape: [length, length] }],
  vjp: null,
  emit(e, { attrs: { length } }, _inputs, outputs) {
    // Built from a running count in f32: int64 comparisons would fall back to the CPU on WebGPU.
    const [ones] = e.node("Expand", [e.scalar(1), e.dims([length])])
    const [count] = e.node("CumSum", [ones!, e.scalar(0, "i64")])
    const [rows] = e.node("Unsqueeze", [count!, e.ints([1])])
    const [columns] = e.node("Unsqueeze", [count!, e.ints([0])])
    const [later] = e.node("Sub", [columns!, rows!])
    const [clipped] = e.node("Clip", [later!, e.scalar(0), e.scalar(1)])
    e.node("Mul", [clipped!, e.scalar(MASKED)], {}, { outputs })
  },
})

/** Settings of cached attention. */
export interface CachedAttentionAttrs {
  readonly heads: number
  readonly kvHeads: number
  readonly scale: number
  readonly rotary: boolean
}

/**
 * Causal attention of new tokens over a cache and themselves.
 * Inputs: q [B, T, heads * D], k and v [B, T, kvHeads * D], pastK and pastV [B, kvHeads, P, D], last i32 [B] (index of
 * each row's last position after this run), total i32 [1] (positions after this run, the longest row's), and with
 * `rotary` cos and sin [P, D/2], applied to q and k here. Rows of more than one token are for B = 1.
 * Outputs: y [B, T, heads * D], and what the caches become.
 * https://github.com/microsoft/onnxruntime/blob/main/docs/ContribOperators.md#com.microsoft.GroupQueryAttention
 */
export const cachedAttention = defineOp<CachedAttentionAttrs>({
  name: "cachedAttention",
  infer: ([q, , , pastK, pastV]) => [q!, pastK!, pastV!],
  vjp: null,
  emit(e, { attrs: { heads, kvHeads, scale, rotary } }, inputs, outputs) {
    e.node(
      "GroupQueryAttention",
      inputs,
      { num_heads: int(heads), kv_num_heads: int(kvHeads), scale: float(scale), do_rotary: int(+rotary) },
      { domain: microsoft, outputs },
    )
  },
})

/**
 * Chosen positions of a cache.
 * Inputs: cache [B, kvHeads, P, D], places i64 [B, kvHeads, T, 1]. Output: [B, kvHeads, T, D].
 */
export const cacheRows = defineOp<Record<string, never>>({
  name: "cacheRows",
  infer: ([cache, places]) => [{ dtype: cache!.dtype, shape: [...places!.shape.slice(0, 3), cache!.shape[3]!] }],
  vjp: null,
  emit: (e, _node, inputs, outputs) => void e.node("GatherND", inputs, { batch_dims: int(2) }, { outputs }),
})
