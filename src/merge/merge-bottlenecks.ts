/**
 * @module Merging bottleneck adapters: side by side in one wider bottleneck, up = [w1 U1, w2 U2, ...] and down = [D1; D2; ...],
 * which adds exactly the weighted sum of what each of them adds. Averages of their weights would be another network, and
 * one after the other they are no bottleneck any more.
 */
import { EspalierError } from "../core/errors.ts"
import { f32 } from "../core/tensor.ts"
import type { BottleneckForm } from "../forms/form.ts"
import type { Merged } from "./merge-linear.ts"
import type { MergeSource } from "./source.ts"

interface Weighted {
  readonly form: BottleneckForm
  readonly weight: number
}

/** @throws {EspalierError} `unsupported` where they read other things or bend them otherwise */
export function mergeBottlenecks(sources: readonly MergeSource[]): Merged {
  const places = new Map<string, Weighted[]>()
  for (const { forms, weight } of sources)
    for (const form of forms)
      if (form.form === "bottleneck") places.set(form.path, [...(places.get(form.path) ?? []), { form, weight }])
  checkAlike([...places.values()].flat().map(({ form }) => form))
  return { forms: [...places.values()].map(sideBySide), report: null }
}

function checkAlike(forms: readonly BottleneckForm[]): void {
  const kinds = [...new Set(forms.map(({ nonlinearity, reads }) => `${nonlinearity} of the ${reads}`))]
  if (kinds.length > 1)
    throw new EspalierError(
      "unsupported",
      `Bottlenecks must be alike to stand side by side, but these are ${kinds.join(", and ")}`,
    )
}

function sideBySide(parts: readonly Weighted[]): BottleneckForm {
  const first = parts[0]!.form
  const [hidden] = first.up.shape as [number, number]
  const sizes = parts.map(({ form }) => form.downBias.data.length)
  const size = sizes.reduce((a, b) => a + b, 0)
  const down = new Float32Array(size * hidden)
  const downBias = new Float32Array(size)
  const up = new Float32Array(hidden * size)
  const upBias = new Float32Array(hidden)
  let at = 0
  for (const [k, { form, weight }] of parts.entries()) {
    const own = sizes[k]!
    down.set(form.down.data, at * hidden)
    downBias.set(form.downBias.data, at)
    for (let o = 0; o < hidden; o++) {
      upBias[o]! += weight * form.upBias.data[o]!
      for (let i = 0; i < own; i++) up[o * size + at + i] = weight * form.up.data[o * own + i]!
    }
    at += own
  }
  return {
    ...first,
    down: f32([size, hidden], down),
    downBias: f32([size], downBias),
    up: f32([hidden, size], up),
    upBias: f32([hidden], upBias),
  }
}
