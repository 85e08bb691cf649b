/**
 * @module Merging vectors of a layer: those that scale (IA3), biases (BitFit) and norms' weights. Each is a change from what
 * changes nothing: 1, 0, and the base's own weight.
 */
import { EspalierError } from "../core/errors.ts"
import { f32 } from "../core/tensor.ts"
import type { BiasForm, Form, ScaleForm, WeightsForm } from "../forms/form.ts"
import { matrix } from "../linalg/matrix.ts"
import { combineVectors } from "./combine-vectors.ts"
import type { Delta } from "./delta.ts"
import type { Merged } from "./merge-linear.ts"
import type { Recipe } from "./recipe.ts"
import { reportBuilder } from "./report.ts"
import type { MergeBase, MergeSource } from "./source.ts"

type VectorForm = ScaleForm | BiasForm | WeightsForm

/** Where a vector stands, as one text. */
const placeOf = (form: VectorForm): string =>
  form.form === "weights" ? form.name : form.form === "scale" ? `${form.path} ${form.side}` : form.path

const tensorOf = (form: VectorForm) => (form.form === "weights" ? form.value : form.vector)

/** The same form with another vector. */
function withVector(form: VectorForm, values: Float64Array): VectorForm {
  const tensor = f32(tensorOf(form).shape, Float32Array.from(values))
  return form.form === "weights" ? { ...form, value: tensor } : { ...form, vector: tensor }
}

/** What changes nothing in a form's place, f64 [size]. */
async function neutralOf(form: VectorForm, { read }: MergeBase): Promise<Float64Array> {
  if (form.form === "weights") return Float64Array.from(await read(form.name))
  return new Float64Array(tensorOf(form).data.length).fill(form.form === "scale" ? 1 : 0)
}

/** One vector of each place that any source has. */
export async function mergeVectors(sources: readonly MergeSource[], recipe: Recipe, base: MergeBase): Promise<Merged> {
  const report = reportBuilder(sources)
  const isVector = (form: Form): form is VectorForm =>
    form.form === "scale" || form.form === "bias" || form.form === "weights"
  const places = new Map<string, VectorForm>()
  for (const { forms } of sources)
    for (const form of forms) if (isVector(form) && !places.has(placeOf(form))) places.set(placeOf(form), form)
  const merged: VectorForm[] = []
  for (const [place, sample] of places) {
    const neutral = await neutralOf(sample, base)
    const values = sources.map(({ name, forms }) =>
      heldValue(
        name,
        forms.filter((form): form is VectorForm => isVector(form) && placeOf(form) === place),
        neutral,
      ),
    )
    const wanted = wantedVector(place, sources, values, neutral, recipe)
    const form = withVector(sample, wanted)
    merged.push(form)
    report.add({
      path: place,
      rank: null,
      merged: changeOf(Float64Array.from(tensorOf(form).data), neutral),
      wanted: changeOf(wanted, neutral),
      sources: values.map((value) => value && changeOf(value, neutral)),
    })
  }
  return { forms: merged, report: report.finish() }
}

/** What an adapter has in one place, or null: several that scale multiply, several biases add. */
function heldValue(name: string, forms: readonly VectorForm[], neutral: Float64Array): Float64Array | null {
  if (forms.length === 0) return null
  const value = forms[0]!.form === "weights" ? new Float64Array(neutral.length) : neutral.slice()
  for (const form of forms) {
    const { data } = tensorOf(form)
    if (data.length !== neutral.length)
      throw new EspalierError(
        "adapter_mismatch",
        `Adapter "${name}": ${placeOf(form)} has ${data.length} elements where ${neutral.length} were expected`,
      )
    for (let i = 0; i < value.length; i++)
      if (form.form === "scale") value[i]! *= data[i]!
      else value[i]! += data[i]!
  }
  return value
}

const changeOf = (value: Float64Array, neutral: Float64Array): Delta => ({
  kind: "dense",
  matrix: matrix(
    1,
    value.length,
    value.map((x, i) => x - neutral[i]!),
  ),
})

/** The merged vector [size]. */
function wantedVector(
  place: string,
  sources: readonly MergeSource[],
  values: readonly (Float64Array | null)[],
  neutral: Float64Array,
  recipe: Recipe,
): Float64Array {
  if (recipe.method === "product") return productOf(place, sources, values)
  const changes = values.map((value) => value?.map((x, i) => x - neutral[i]!) ?? null)
  const change = combineVectors(place, sources, changes, recipe)
  return neutral.map((x, i) => x + change[i]!)
}

/** The product of value ^ weight. @throws {EspalierError} `invalid_request` for a root of a negative number */
function productOf(
  place: string,
  sources: readonly MergeSource[],
  values: readonly (Float64Array | null)[],
): Float64Array {
  const size = values.find((value) => value !== null)!.length
  return new Float64Array(size).map((_, i) => {
    let product = 1
    for (const [k, value] of values.entries()) if (value) product *= value[i]! ** sources[k]!.weight
    if (Number.isFinite(product)) return product
    const at = values.findIndex((value, k) => value && !Number.isFinite(value[i]! ** sources[k]!.weight))
    const { name, weight } = sources[Math.max(0, at)]!
    throw new EspalierError(
      "invalid_request",
      `"${name}" scales element ${i} of ${place} by ${values[Math.max(0, at)]?.[i]}, which has no power ${weight}`,
      { hint: "Take --method linear, or whole weights of at least 0", param: "weights" },
    )
  })
}
