/**
 * @module Attention over a cache of rows of one new token each, which is what a server computes most. The engine's own
 * node copies whole caches to put the new keys and values into them; here caches are only read. On SmolLM2-135M's shape,
 * 8 rows at a context of 256, that is a third of the time.
 *
 * Each head is a product of its own with one row, although heads that share keys would make one of several: products of
 * one row read the cache as it lies, where others begin by copying it to their kernel's order.
 */
import type { Dim } from "../dim.ts"
import type { Spec } from "../ir.ts"
import { type Emitter, float, int, microsoft } from "../op.ts"
import { emitCount, emitMask, isPositive, MASKED, plus } from "./attention-mask.ts"

/** Settings, as of the operator that this is a form of. */
export interface StepSettings {
  readonly heads: number
  readonly kvHeads: number
  readonly scale: number
  readonly window: number | null
  readonly cap: number | null
  /** The cache's spec, [B, kvHeads, P, D] or [B, kvHeads, 1, P, D]. */
  readonly past: Spec
}

/** Names of what goes in. */
export interface StepInputs {
  /** q, k and v [B, 1, ...], or one value with all three side by side. */
  readonly own: readonly string[]
  /** As {@link StepSettings.past}. */
  readonly pastK: string
  readonly pastV: string
  /** i64 [B, 1] */
  readonly positions: string
  /** Rotation tables [positions, D / 2], where queries and keys are still to be rotated. */
  readonly cos?: string | undefined
  readonly sin?: string | undefined
}

/** Emits y [B, heads * D] and the new keys and values, [B, kvHeads, 1, D] or with an axis of 1 more, as the caches. */
export function emitStep(
  e: Emitter,
  { heads, kvHeads: K, scale, window, cap, past }: StepSettings,
  { own, pastK, pastV, positions, cos, sin }: StepInputs,
  outputs: readonly string[],
): void {
  const [P, D] = [past.shape.at(-2)!, past.shape.at(-1) as number]
  const isApart = past.shape.length === 5
  const G = heads / K
  const reshaped = (x: string, shape: readonly number[], named?: string) =>
    e.node("Reshape", [x, e.ints(shape)], {}, named === undefined ? {} : { outputs: [named] })[0]!
  const [q, k, v] =
    own.length === 3
      ? own
      : e.node("Split", [own[0]!, e.ints([heads * D, K * D, K * D])], { axis: int(2) }, { outputs: 3 })
  const turn = (x: string, c: string, s: string) =>
    e.node("RotaryEmbedding", [x, positions, c, s], { interleaved: int(0) }, { domain: microsoft })[0]!
  const scaled = (x: string) => e.node("Mul", [x, e.scalar(scale)])[0]!
  // Products of one row have a kernel of their own where nothing is to be multiplied in. Rotation takes the scale along.
  const query =
    cos === undefined || sin === undefined
      ? scaled(q!)
      : turn(
          q!,
          e.once(`scaled_${cos}_${scale}`, () => scaled(cos)),
          e.once(`scaled_${sin}_${scale}`, () => scaled(sin)),
        )
  const row = isApart ? [-1, K, 1, 1, D] : [-1, K, 1, D]
  const keys = reshaped(cos === undefined || sin === undefined ? k! : turn(k!, cos, sin), row, outputs[1])
  const values = reshaped(v!, row, outputs[2])
  const perHead = reshaped(query, [-1, K, G, 1, D])
  const shared = (x: string) => (isApart ? x : e.node("Unsqueeze", [x, e.ints([2])])[0]!)
  const ownValues = shared(values)
  const against = (x: string) =>
    e.node("FusedMatMul", [perHead, x], { transB: int(1), alpha: float(1) }, { domain: microsoft })[0]!
  const scores = e.node("Concat", [against(shared(pastK)), against(shared(keys))], { axis: int(4) })[0]! // [B, K, G, 1, P + 1]
  const [weights] = e.node("Softmax", [masked(e, capped(e, scores, cap), { P, positions, window })], { axis: int(-1) })
  const sizes = e.once(`step_sizes_${P}`, () => e.node("Concat", [e.dims([P]), e.ints([1])], { axis: int(0) })[0]!)
  const [early, late] = e.node("Split", [weights!, sizes], { axis: int(4) }, { outputs: 2 })
  const [fromPast] = e.node("MatMul", [early!, shared(pastV)])
  const [fromOwn] = e.node("Mul", [late!, ownValues])
  const [y] = e.node("Add", [fromPast!, fromOwn!])
  reshaped(y!, [-1, heads * D], outputs[0])
}

/** c tanh(x / c). */
function capped(e: Emitter, x: string, cap: number | null): string {
  if (cap === null) return x
  const [t] = e.node("Tanh", [e.node("Div", [x, e.scalar(cap)])[0]!])
  return e.node("Mul", [t!, e.scalar(cap)])[0]!
}

/** Scores with {@link MASKED} added to those of positions that a row's token doesn't see; its own comes last. */
function masked(
  e: Emitter,
  scores: string,
  { P, positions, window }: { readonly P: Dim; readonly positions: string; readonly window: number | null },
): string {
  const mask = e.once(`step_mask_${window}`, () => {
    const [at] = e.node("Cast", [e.node("Reshape", [positions, e.ints([-1, 1, 1, 1, 1])])[0]!], { to: int(1) })
    const later = e.node("Sub", [plus(e, emitCount(e, P), -1), at!])[0]! // [B, 1, 1, 1, P]
    // What the cache holds from the new token's position on is of no row yet.
    const unwritten = e.node("Mul", [isPositive(e, plus(e, later, 1)), e.scalar(MASKED)])[0]!
    const hidden = window === null ? unwritten : e.node("Add", [unwritten, emitMask(e, later, window)])[0]!
    const [own] = e.node("Mul", [at!, e.scalar(0)])
    return e.node("Concat", [hidden, own!], { axis: int(4) })[0]!
  })
  return e.node("Add", [scores, mask])[0]!
}
