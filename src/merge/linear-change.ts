/**
 * @module What an adapter's forms on one linear layer do to its weight and bias. The layer computes
 * y = out * (W (in * x) + b + s B A x) + add, so that
 *
 *     W' - W = diag(out) (W diag(in) + s B A) - W        b' - b = (out - 1) b + add
 *
 * Low-rank updates alone need neither W nor b; DoRA, IA3 and their like do.
 */
import { EspalierError } from "../core/errors.ts"
import type { BiasForm, Form, LowrankForm, ScaleForm } from "../forms/form.ts"
import { type Matrix, matrix, transpose, zeros } from "../linalg/matrix.ts"
import type { LinearSite } from "../models/site.ts"
import { type Delta, denseOf, factored, sumOf } from "./delta.ts"

/** A linear layer's change. */
export interface LinearChange {
  /** Of the weight [out, in]; null where it stays. */
  readonly weight: Delta | null
  /** Of the bias [out]; null where it stays. */
  readonly bias: Float64Array | null
}

/** A change of a bias below this part of the bias is rounding. */
const ROUNDING = 1e-6

/** Low-rank factors as a delta, the scale multiplied in. @throws {EspalierError} `adapter_mismatch` */
function lowrankDelta(site: LinearSite, { a, b, scale, path }: LowrankForm): Delta {
  const rank = a.shape[0]!
  const fits = a.shape[1] === site.inFeatures && b.shape[0] === site.outFeatures && b.shape[1] === rank
  if (!fits)
    throw new EspalierError(
      "adapter_mismatch",
      `${path}: expected factors [r, ${site.inFeatures}] and [${site.outFeatures}, r] but found [${a.shape}] and [${b.shape}]`,
    )
  const left = matrix(site.outFeatures, rank, b.data)
  return factored({ b: { ...left, data: left.data.map((x) => x * scale) }, a: matrix(rank, site.inFeatures, a.data) })
}

/** The change that all of an adapter's forms make to one layer. @param read a frozen weight as f32, by name */
export async function linearChange(
  site: LinearSite,
  forms: readonly Form[],
  read: (name: string) => Promise<Float32Array>,
): Promise<LinearChange> {
  const here = forms.filter((form) => "path" in form && form.path === site.path)
  const lowrank = here.filter((form): form is LowrankForm => form.form === "lowrank")
  const scales = here.filter((form): form is ScaleForm => form.form === "scale")
  const biases = here.filter((form): form is BiasForm => form.form === "bias")
  const factors = lowrank.map((form) => ({ delta: lowrankDelta(site, form), weight: 1 }))
  const update = factors.length > 0 ? sumOf(factors) : null
  const bias = biases.length > 0 || (site.bias && scales.length > 0) ? new Float64Array(site.outFeatures) : null
  for (const { vector } of biases) for (let i = 0; i < bias!.length; i++) bias![i]! += vector.data[i]!
  if (scales.length === 0) return { weight: update, bias }
  const output = vectorOf(scales, "output", site.outFeatures)
  const frozen = await frozenWeight(site, read)
  const weight = scaledWeight(frozen, vectorOf(scales, "input", site.inFeatures), output, update && denseOf(update))
  return { weight: { kind: "dense", matrix: weight }, bias: bias && (await scaledBias(site, bias, output, read)) }
}

/** A layer's weight [out, in] in f64, however the checkpoint holds it. */
export async function frozenWeight(
  { path, transposed, inFeatures, outFeatures }: LinearSite,
  read: (name: string) => Promise<Float32Array>,
): Promise<Matrix> {
  const data = await read(`${path}.weight`)
  return transposed ? transpose(matrix(inFeatures, outFeatures, data)) : matrix(outFeatures, inFeatures, data)
}

/** The product of all vectors on one side. */
function vectorOf(scales: readonly ScaleForm[], side: ScaleForm["side"], size: number): Float64Array {
  const product = new Float64Array(size).fill(1)
  for (const { side: on, vector } of scales)
    if (on === side) for (let i = 0; i < size; i++) product[i]! *= vector.data[i]!
  return product
}

/** diag(out) (W diag(in) + update) - W. */
function scaledWeight(w: Matrix, input: Float64Array, output: Float64Array, update: Matrix | null): Matrix {
  const change = zeros(w.rows, w.columns)
  for (let i = 0; i < w.rows; i++)
    for (let j = 0; j < w.columns; j++) {
      const at = i * w.columns + j
      change.data[at] = output[i]! * (w.data[at]! * input[j]! + (update ? update.data[at]! : 0)) - w.data[at]!
    }
  return change
}

/** (out - 1) b + add; null where that is rounding. */
async function scaledBias(
  { path, bias: has }: LinearSite,
  added: Float64Array,
  output: Float64Array,
  read: (name: string) => Promise<Float32Array>,
): Promise<Float64Array | null> {
  const frozen = has ? await read(`${path}.bias`) : null
  if (!frozen) return added
  let [largest, change] = [0, 0]
  const out = added.map((add, i) => {
    const value = (output[i]! - 1) * frozen[i]! + add
    largest = Math.max(largest, Math.abs(frozen[i]!))
    change = Math.max(change, Math.abs(value))
    return value
  })
  return change <= ROUNDING * largest ? null : out
}
