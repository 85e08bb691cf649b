/**
 * @module Merging what adapters do to linear layers: low-rank updates, and changes of whole weights such as DoRA's.
 */
import { EspalierError } from "../core/errors.ts"
import { rng } from "../core/rng.ts"
import { f32 } from "../core/tensor.ts"
import type { BiasForm, Form, LowrankForm } from "../forms/form.ts"
import { matrix } from "../linalg/matrix.ts"
import { type Factors, truncateDense, truncateFactors } from "../linalg/truncate.ts"
import type { LinearSite } from "../models/site.ts"
import { combine, isElementwise, slerpWeights } from "./combine.ts"
import { combineVectors } from "./combine-vectors.ts"
import { type Delta, denseOf, factored, innerProduct, normOf, sumOf, type Term } from "./delta.ts"
import { linearChange } from "./linear-change.ts"
import type { Recipe } from "./recipe.ts"
import { type MergeReport, reportBuilder } from "./report.ts"
import type { MergeBase, MergeSource } from "./source.ts"

/** What merged layers are made of, and how near they come. */
export interface Merged {
  readonly forms: readonly Form[]
  /** Null where adapters are no changes that could be added up: prompts and prefixes one after the other. */
  readonly report: MergeReport | null
}

/** Below this part of the whole, what a sum has more ranks for is rounding of the f32 factors that it is written in. */
const EXACT = 1e-7

/** One layer in every adapter. */
export interface LayerDeltas {
  readonly site: LinearSite
  /** In the order of the sources; null where one leaves the layer alone. */
  readonly deltas: readonly (Delta | null)[]
  readonly biases: readonly (Float64Array | null)[]
}

/** @throws {EspalierError} `adapter_mismatch` for a layer that the base lacks */
function checkPaths(sources: readonly MergeSource[], { sites, name }: MergeBase): void {
  const known = new Set(sites.map(({ path }) => path))
  for (const { name: adapter, forms } of sources)
    for (const form of forms)
      if ("path" in form && !known.has(form.path))
        throw new EspalierError(
          "adapter_mismatch",
          `Adapter "${adapter}" changes ${form.path}, which base "${name}" lacks`,
        )
}

/**
 * The linear layers that any source changes, one by one.
 * @throws {EspalierError} `adapter_mismatch` for a layer that the base lacks
 */
export async function* changedLayers(sources: readonly MergeSource[], base: MergeBase): AsyncGenerator<LayerDeltas> {
  checkPaths(sources, base)
  for (const site of base.sites) {
    if (site.kind !== "linear") continue
    const layer = await layerDeltas(sources, site, base)
    if (layer) yield layer
  }
}

/** What the sources change in one layer, or null where that is nothing. */
export async function layerDeltas(
  sources: readonly MergeSource[],
  site: LinearSite,
  { read }: MergeBase,
): Promise<LayerDeltas | null> {
  if (!sources.some(({ forms }) => forms.some((form) => "path" in form && form.path === site.path))) return null
  const changes = []
  for (const { forms } of sources) changes.push(await linearChange(site, forms, read))
  return { site, deltas: changes.map(({ weight }) => weight), biases: changes.map(({ bias }) => bias) }
}

/**
 * Low-rank updates that merge several adapters, and biases where theirs change.
 * @throws {EspalierError} `unsupported` where a norm's bias would change too
 */
export async function mergeLinear(sources: readonly MergeSource[], recipe: Recipe, base: MergeBase): Promise<Merged> {
  const report = reportBuilder(sources)
  const forms: (LowrankForm | BiasForm)[] = []
  const norms = new Set(base.sites.flatMap((site) => (site.kind === "norm" ? [site.path] : [])))
  const onNorm = sources.flatMap((source) => source.forms).find((form) => "path" in form && norms.has(form.path))
  if (onNorm && "path" in onNorm) throw biasError(onNorm.path)
  for await (const { site, deltas, biases } of changedLayers(sources, base)) {
    const bias = mergedBias(site, sources, biases, recipe)
    if (bias) forms.push(bias)
    if (deltas.every((delta) => delta === null)) continue
    const wanted = wantedDelta(site.path, sources, deltas, recipe)
    const form = only(sources, site.path, recipe) ?? asForm(site.path, truncated(wanted, deltas, recipe))
    forms.push(form)
    report.add({
      path: site.path,
      rank: form.a.shape[0]!,
      merged: deltaOf(form),
      wanted,
      sources: deltas,
    })
  }
  return { forms, report: report.finish() }
}

/** The biases' changes, merged as a method merges vectors; null where there are none. */
function mergedBias(
  { path, outFeatures }: LinearSite,
  sources: readonly MergeSource[],
  biases: readonly (Float64Array | null)[],
  recipe: Recipe,
): BiasForm | null {
  if (biases.every((bias) => bias === null)) return null
  const merged = combineVectors(`${path}.bias`, sources, biases, recipe)
  return { form: "bias", path, vector: f32([outFeatures], Float32Array.from(merged)) }
}

const biasError = (path: string): EspalierError =>
  new EspalierError("unsupported", `Merging would change the bias of ${path}, which no update of linear layers can`, {
    hint: "Take --fuse, which adds everything to the base",
  })

/** One adapter's own factors, where nothing is asked of them but a weight. */
function only(sources: readonly MergeSource[], path: string, { method, rank, error }: Recipe): LowrankForm | null {
  if (sources.length !== 1 || (method !== "linear" && method !== "cat") || rank !== undefined || error) return null
  const found = sources[0]!.forms.filter((form) => form.form === "lowrank" && form.path === path)
  const [form] = found as LowrankForm[]
  return form && found.length === 1 ? { ...form, scale: form.scale * sources[0]!.weight } : null
}

/** What a method asks for at one layer, at full rank. */
export function wantedDelta(
  path: string,
  sources: readonly MergeSource[],
  deltas: readonly (Delta | null)[],
  { method, density = 0.5, seed = 0 }: Recipe,
): Delta {
  const present = deltas.flatMap((delta, i) => (delta ? [{ delta, source: sources[i]! }] : []))
  if (isElementwise(method)) {
    const parts = present.map(({ delta, source: { name, weight } }) => ({
      values: denseOf(delta).data,
      weight,
      random: rng(seed, `merge:${name}:${path}`),
    }))
    const { rows, columns } = sizeOf(present[0]!.delta)
    return { kind: "dense", matrix: matrix(rows, columns, combine(method, parts, density)) }
  }
  const terms: Term[] = present.map(({ delta, source: { weight } }) => ({ delta, weight }))
  if (method !== "slerp") return sumOf(terms)
  const [x, y] = deltas as [Delta | null, Delta | null]
  const weights = slerpWeights(
    x && y ? innerProduct(x, y) : 0,
    [x ? normOf(x) : 0, y ? normOf(y) : 0],
    [sources[0]!.weight, sources[1]!.weight],
  )
  return sumOf(deltas.flatMap((delta, i) => (delta ? [{ delta, weight: weights[i]! }] : [])))
}

const sizeOf = (delta: Delta): { rows: number; columns: number } =>
  delta.kind === "dense" ? delta.matrix : { rows: delta.b.rows, columns: delta.a.columns }

/** Columns of B, all sources together and at most in one. */
function ranksOf(deltas: readonly (Delta | null)[]): { sum: number; most: number } | null {
  const ranks = deltas.flatMap((delta) => (delta?.kind === "factors" ? [delta.b.columns] : []))
  return ranks.length === 0 ? null : { sum: ranks.reduce((a, b) => a + b, 0), most: Math.max(...ranks) }
}

/** Ranks of what was never low-rank, where nobody says how many. */
const DENSE_RANK = 16

/**
 * The factors to write: `cat` leaves them side by side; `linear` and `slerp` drop nothing but rounding; `svd` takes the
 * largest source's rank and the others as many as all sources together, unless a rank or an error is asked for.
 */
function truncated(wanted: Delta, deltas: readonly (Delta | null)[], { method, rank, error }: Recipe): Factors {
  const free = rank === undefined && error === undefined
  if (method === "cat" && free && wanted.kind === "factors") return wanted
  const ranks = ranksOf(deltas)
  const own = method === "svd" ? ranks?.most : ranks?.sum
  const limit = rank ?? (error === undefined ? (own ?? DENSE_RANK) : undefined)
  const truncation = { ...(limit !== undefined && { rank: limit }), error: error ?? EXACT }
  if (wanted.kind === "factors") return truncateFactors(wanted, truncation)
  return truncateDense(wanted.matrix, limit === undefined ? truncation : { ...truncation, error: error ?? 0 })
}

/** Factors as a form. */
function asForm(path: string, { b, a }: Factors): LowrankForm {
  return {
    form: "lowrank",
    path,
    a: f32([a.rows, a.columns], Float32Array.from(a.data)),
    b: f32([b.rows, b.columns], Float32Array.from(b.data)),
    scale: 1,
  }
}

/** A form as it will be read back. */
function deltaOf({ a, b, scale }: LowrankForm): Delta {
  const left = matrix(b.shape[0]!, b.shape[1]!, b.data)
  return factored({
    b: { ...left, data: left.data.map((x) => x * scale) },
    a: matrix(a.shape[0]!, a.shape[1]!, a.data),
  })
}
