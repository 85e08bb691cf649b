/**
 * @module The exact weighted sum of low-rank updates and biases, without the base and without computing more than a copy:
 * factors side by side.
 */
import { EspalierError } from "../core/errors.ts"
import { f32 } from "../core/tensor.ts"
import type { BiasForm, Form, LowrankForm } from "../forms/form.ts"
import type { MergeSource } from "./source.ts"

/**
 * One form of each layer that adds what all sources add by their weights.
 * @throws {EspalierError} `unsupported` naming an adapter that is no such sum
 */
export function catForms(sources: readonly MergeSource[]): Form[] {
  const lowrank = new Map<string, LowrankForm[]>()
  const biases = new Map<string, BiasForm[]>()
  for (const { name, weight, forms } of sources)
    for (const form of forms) {
      if (form.form === "lowrank") append(lowrank, { ...form, scale: form.scale * weight })
      else if (form.form === "bias")
        append(biases, {
          ...form,
          vector: f32(
            form.vector.shape,
            form.vector.data.map((x) => x * weight),
          ),
        })
      else
        throw new EspalierError(
          "unsupported",
          `Adapter "${name}" can't be merged by request: it is no low-rank update`,
          {
            hint: "Merge it by `espalier merge` and load the result",
            param: "model",
          },
        )
    }
  return [...[...lowrank.values()].map(sideBySide), ...[...biases.values()].map(summed)]
}

function append<F extends { readonly path: string }>(all: Map<string, F[]>, form: F): void {
  all.set(form.path, [...(all.get(form.path) ?? []), form])
}

/**
 * One low-rank update that is the sum of several of one layer: B = [s1 B1, s2 B2, ...], A = [A1; A2; ...], scale 1.
 * A single one is returned as it is.
 * @throws {EspalierError} `adapter_mismatch` when they differ in the layer's sizes
 */
export function sideBySide(forms: readonly LowrankForm[]): LowrankForm {
  const [first] = forms as [LowrankForm]
  if (forms.length === 1) return first
  const columns = first.a.shape[1]!
  const rows = first.b.shape[0]!
  const rank = forms.reduce((sum, { a }) => sum + a.shape[0]!, 0)
  const a = new Float32Array(rank * columns)
  const b = new Float32Array(rows * rank)
  let at = 0
  for (const form of forms) {
    const own = form.a.shape[0]!
    if (form.a.shape[1] !== columns || form.b.shape[0] !== rows)
      throw new EspalierError("adapter_mismatch", `Adapters change ${form.path} in different sizes`)
    a.set(form.a.data, at * columns)
    for (let o = 0; o < rows; o++)
      for (let k = 0; k < own; k++) b[o * rank + at + k] = form.scale * form.b.data[o * own + k]!
    at += own
  }
  return { ...first, a: f32([rank, columns], a), b: f32([rows, rank], b), scale: 1 }
}

function summed(forms: readonly BiasForm[]): BiasForm {
  const [first] = forms as [BiasForm]
  const sum = first.vector.data.slice()
  for (const { vector } of forms.slice(1)) for (let i = 0; i < sum.length; i++) sum[i]! += vector.data[i]!
  return { ...first, vector: f32(first.vector.shape, sum) }
}
