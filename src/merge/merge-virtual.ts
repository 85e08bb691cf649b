/**
 * @module Merging what stands before the text: soft prompts and prefixes, one after the other or averaged.
 *
 * One after the other, each is there whole, and attention weighs them; what followed the second prompt's tokens alone now
 * also sees the first's, and positions of the text move back. Averages want the same number of tokens and make sense for
 * adapters that began alike.
 */
import { EspalierError } from "../core/errors.ts"
import { f32, type Tensor } from "../core/tensor.ts"
import type { Form, PrefixForm, PromptForm } from "../forms/form.ts"
import { matrix } from "../linalg/matrix.ts"
import type { Merged } from "./merge-linear.ts"
import type { Recipe } from "./recipe.ts"
import { reportBuilder } from "./report.ts"
import type { MergeSource } from "./source.ts"

/** Soft prompts as one. @throws {EspalierError} `adapter_mismatch` for averages of unequal lengths */
export function mergePrompts(sources: readonly MergeSource[], recipe: Recipe): Merged {
  const report = reporter(sources, recipe)
  const prompts = sources.map(({ forms }) =>
    joined(forms.filter((form): form is PromptForm => form.form === "prompt").map(({ embeddings }) => embeddings)),
  )
  return {
    forms: [{ form: "prompt", embeddings: mergeTensors("prompt_embeddings", sources, prompts, recipe, report) }],
    report: report?.finish() ?? null,
  }
}

/** Prefixes as one. @throws {EspalierError} `adapter_mismatch` for averages of unequal lengths, or a layer that one lacks */
export function mergePrefixes(sources: readonly MergeSource[], recipe: Recipe): Merged {
  const report = reporter(sources, recipe)
  const layers = new Set(sources.flatMap(({ forms }) => forms.flatMap((form) => layerOf(form) ?? [])))
  const forms = [...layers].map((layer): PrefixForm => {
    const found = sources.map(({ name, forms }) => {
      const form = forms.find((each): each is PrefixForm => each.form === "prefix" && each.layer === layer)
      if (form) return form
      throw new EspalierError("adapter_mismatch", `Adapter "${name}" has no prefix in layer ${layer}`)
    })
    const part = (side: "keys" | "values"): Tensor<"f32"> =>
      mergeTensors(
        `layer ${layer} ${side}`,
        sources,
        found.map((form) => form[side]),
        recipe,
        report,
      )
    return { form: "prefix", layer, keys: part("keys"), values: part("values") }
  })
  return { forms, report: report?.finish() ?? null }
}

type Reporter = ReturnType<typeof reportBuilder>

/** What is put one after the other is no sum, so there is nothing to compare it with. */
const reporter = (sources: readonly MergeSource[], { method }: Recipe): Reporter | null =>
  method === "cat" ? null : reportBuilder(sources)

const layerOf = (form: Form): number | null => (form.form === "prefix" ? form.layer : null)

/** Tensors [virtual tokens, ...] one after the other, or their weighted sum. */
function mergeTensors(
  path: string,
  sources: readonly MergeSource[],
  tensors: readonly Tensor<"f32">[],
  { method }: Recipe,
  report: Reporter | null,
): Tensor<"f32"> {
  if (method === "cat") return joined(tensors)
  const { shape } = tensors[0]!
  const other = tensors.findIndex((tensor) => tensor.shape.join() !== shape.join())
  if (other >= 0)
    throw new EspalierError(
      "adapter_mismatch",
      `Averages want equal sizes, but "${sources[0]!.name}" has ${shape[0]} virtual tokens and "${sources[other]!.name}" has ${tensors[other]!.shape[0]}`,
      { hint: "Take --method cat, which puts them one after the other" },
    )
  const sum = new Float64Array(tensors[0]!.data.length)
  for (const [k, { data }] of tensors.entries())
    for (let i = 0; i < sum.length; i++) sum[i]! += sources[k]!.weight * data[i]!
  const merged = f32(shape, Float32Array.from(sum))
  const row = (data: ArrayLike<number>) => ({ kind: "dense", matrix: matrix(1, data.length, data) }) as const
  report?.add({
    path,
    rank: null,
    merged: row(merged.data),
    wanted: row(sum),
    sources: tensors.map(({ data }) => row(data)),
  })
  return merged
}

/** Tensors one after the other along their first axis. */
function joined(tensors: readonly Tensor<"f32">[]): Tensor<"f32"> {
  const [, ...rest] = tensors[0]!.shape
  const rows = tensors.reduce((sum, { shape }) => sum + shape[0]!, 0)
  const data = new Float64Array(tensors.reduce((sum, { data }) => sum + data.length, 0))
  let at = 0
  for (const tensor of tensors) {
    data.set(tensor.data, at)
    at += tensor.data.length
  }
  return f32([rows, ...rest], Float32Array.from(data))
}
