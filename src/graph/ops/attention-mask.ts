/**
 * @module Emitters of what attention over a cache may not see, shared by its forms.
 */
import type { Dim } from "../dim.ts"
import type { Emitter } from "../op.ts"

/** What a masked score is set to: far below any score, and finite so that no NaN can come of it. */
export const MASKED = -1e9

/** Emits how far above zero whole numbers are, as 0 or 1. */
export const isPositive = (e: Emitter, x: string): string => e.node("Clip", [x, e.scalar(0), e.scalar(1)])[0]!

/** Emits 1, 2, ... as f32. In f32, as int64 comparisons would fall back to the CPU on WebGPU. */
export function emitCount(e: Emitter, length: Dim): string {
  const [ones] = e.node("Expand", [e.scalar(1), e.dims([length])])
  return e.node("CumSum", [ones!, e.scalar(0, "i64")])[0]!
}

/** Emits x + number. */
export const plus = (e: Emitter, x: string, number: number): string =>
  number === 0 ? x : e.node("Add", [x, e.scalar(number)])[0]!

/** Emits MASKED where `later` (a key's position less the query's, whole numbers) is above 0, or outside the window. */
export function emitMask(e: Emitter, later: string, window: number | null, outputs?: readonly string[]): string {
  const ahead = isPositive(e, later)
  const hidden =
    window === null ? ahead : e.node("Add", [ahead, isPositive(e, plus(e, e.node("Neg", [later])[0]!, 1 - window))])[0]!
  return e.node("Mul", [hidden, e.scalar(MASKED)], {}, outputs ? { outputs } : {})[0]!
}
