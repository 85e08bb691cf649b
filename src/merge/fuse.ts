/**
 * @module Fusing: what adapters change, added to the base's own weights, so that the result is a base that needs no adapter.
 * Whatever is a change of weights can be fused, of several kinds at once; what stands before the text, or between the
 * layers, can't.
 */
import { EspalierError } from "../core/errors.ts"
import { f32, type Tensor } from "../core/tensor.ts"
import type { Form } from "../forms/form.ts"
import { addScaled, type Matrix, matrix, transpose } from "../linalg/matrix.ts"
import type { LinearSite, NormSite } from "../models/site.ts"
import { denseOf } from "./delta.ts"
import { fuseTables } from "./fuse-tables.ts"
import { frozenWeight } from "./linear-change.ts"
import { mergeAdapters } from "./merge.ts"
import { changedLayers, layerDeltas, wantedDelta } from "./merge-linear.ts"
import { checkRecipe, type Recipe } from "./recipe.ts"
import { type MergeReport, reportBuilder } from "./report.ts"
import { checkMethod, kindOf, type MergeBase, type MergeSource } from "./source.ts"

/** Weights of the base that a fusion replaces, and how near they come. */
export interface Fused {
  readonly weights: ReadonlyMap<string, Tensor<"f32">>
  /** Of the linear layers' weights; rounding to f32 counts. */
  readonly report: MergeReport
}

/**
 * Adds adapters to a base: their true weighted sum by `linear`, of any kinds; by other methods what these make of adapters
 * of one kind, at full rank unless a rank is asked for.
 * @throws {EspalierError} `unsupported` for what is no change of the base's weights
 */
export async function fuseAdapters(sources: readonly MergeSource[], recipe: Recipe, base: MergeBase): Promise<Fused> {
  checkRecipe(recipe)
  if (sources.length === 0) throw new EspalierError("invalid_request", "There is no adapter to fuse")
  for (const { name, forms } of sources) checkFusible(name, forms)
  const { method, rank, error } = recipe
  const whole = rank === undefined && error === undefined
  if (whole && method === "linear") return fuseSum(sources, sources, recipe, base)
  const kind = kindOf(sources)
  checkMethod(kind, method, sources)
  if (whole && method !== "svd" && (kind === "lowrank" || kind === "dense"))
    return fuseSum(sources, sources, recipe, base)
  const { forms } = await mergeAdapters(sources, recipe, base)
  return fuseSum(sources, [{ name: "merged", forms, weight: 1 }], { method: "linear" }, base)
}

function checkFusible(name: string, forms: readonly Form[]): void {
  const found = forms.find(({ form }) => form === "prompt" || form === "prefix" || form === "bottleneck")
  if (!found) return
  const what = { prompt: "a soft prompt", prefix: "a prefix", bottleneck: "bottlenecks" } as const
  throw new EspalierError(
    "unsupported",
    `Adapter "${name}" has ${what[found.form as keyof typeof what]}, which no weight of the base can take up`,
    { hint: "Serve it beside the base" },
  )
}

/**
 * @param original what the report compares with
 * @param sources what is added
 */
async function fuseSum(
  original: readonly MergeSource[],
  sources: readonly MergeSource[],
  recipe: Recipe,
  base: MergeBase,
): Promise<Fused> {
  const weights = new Map<string, Tensor<"f32">>()
  const report = reportBuilder(original)
  for await (const { site, deltas, biases } of changedLayers(sources, base)) {
    if (biases.some((bias) => bias !== null))
      weights.set(`${site.path}.bias`, await fusedBias(site, sources, biases, base))
    if (deltas.every((delta) => delta === null)) continue
    const frozen = await frozenWeight(site, base.read)
    const wanted = wantedDelta(site.path, sources, deltas, recipe)
    const sum = { ...frozen, data: frozen.data.slice() }
    addScaled(sum, denseOf(wanted), 1)
    const written = Float32Array.from(sum.data)
    weights.set(`${site.path}.weight`, asStored(site, { ...sum, data: Float64Array.from(written) }))
    const change = matrix(frozen.rows, frozen.columns, written)
    addScaled(change, frozen, -1)
    report.add({
      path: site.path,
      rank: null,
      merged: { kind: "dense", matrix: change },
      wanted,
      sources: original === sources ? deltas : (await layerDeltas(original, site, base))!.deltas,
    })
  }
  for (const site of base.sites) if (site.kind === "norm") await fuseNorm(site, sources, base, weights)
  await fuseTables(sources, base, weights)
  return { weights, report: report.finish() }
}

/** A weight [out, in] as the checkpoint holds it. */
function asStored({ transposed }: LinearSite, weight: Matrix): Tensor<"f32"> {
  const { rows, columns, data } = transposed ? transpose(weight) : weight
  return f32([rows, columns], Float32Array.from(data))
}

async function fusedBias(
  site: LinearSite,
  sources: readonly MergeSource[],
  biases: readonly (Float64Array | null)[],
  { read, name }: MergeBase,
): Promise<Tensor<"f32">> {
  if (!site.bias)
    throw new EspalierError(
      "unsupported",
      `The adapters add a bias to ${site.path}, which has none in base "${name}"`,
      {
        hint: "Serve them beside the base: its architecture has no place for that bias",
      },
    )
  const sum = Float64Array.from(await read(`${site.path}.bias`))
  for (const [k, bias] of biases.entries())
    if (bias) for (let i = 0; i < sum.length; i++) sum[i]! += sources[k]!.weight * bias[i]!
  return f32([sum.length], Float32Array.from(sum))
}

/** A norm's weight and bias: the base's, and the weighted differences from them. */
async function fuseNorm(
  { path, bias }: NormSite,
  sources: readonly MergeSource[],
  { read, name }: MergeBase,
  weights: Map<string, Tensor<"f32">>,
): Promise<void> {
  for (const part of bias ? ["weight", "bias"] : ["weight"]) {
    const place = `${path}.${part}`
    const changes = sources.flatMap(({ forms, weight }) =>
      forms.flatMap((form) => {
        if (form.form === "weights" && form.name === place) return [{ data: form.value.data, weight, whole: true }]
        if (form.form === "bias" && form.path === path && (part === "bias" || !bias))
          return [{ data: form.vector.data, weight, whole: false }]
        return []
      }),
    )
    if (changes.length === 0) continue
    if (!bias && changes.some(({ whole }) => !whole))
      throw new EspalierError("unsupported", `The adapters add a bias to ${path}, which has none in base "${name}"`)
    const frozen = await read(place)
    const sum = Float64Array.from(frozen)
    for (const { data, weight, whole } of changes)
      for (let i = 0; i < sum.length; i++) sum[i]! += weight * (data[i]! - (whole ? frozen[i]! : 0))
    weights.set(place, f32([sum.length], Float32Array.from(sum)))
  }
}
