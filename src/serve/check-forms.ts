/**
 * @module Whether an adapter's forms fit a base: every mismatch in one error, before anything is bound.
 */
import { EspalierError } from "../core/errors.ts"
import type { Form } from "../forms/form.ts"
import type { Base } from "../models/base.ts"
import { servedNorms, servedResiduals } from "./decode-hooks.ts"
import { servedLinears } from "./lowrank-groups.ts"

/** Positions that an adapter's virtual tokens take. */
export function virtualTokensOf(forms: readonly Form[]): number {
  const prompts = forms.reduce((sum, form) => sum + (form.form === "prompt" ? form.embeddings.shape[0]! : 0), 0)
  const prefix = forms.find((form) => form.form === "prefix")
  return prompts + (prefix?.form === "prefix" ? prefix.keys.shape[0]! : 0)
}

/**
 * @param context positions that a sequence may have
 * @throws {EspalierError} `adapter_mismatch` naming every form that doesn't fit; `unsupported` for forms that can't be
 *   served beside a frozen base.
 */
export function checkForms(base: Base, forms: readonly Form[], context: number): void {
  const { layers, kvHeads, headDim, hiddenSize } = base.config
  const linears = new Map(servedLinears(base).map((site) => [site.path, site]))
  const norms = new Map(servedNorms(base).map((site) => [site.path, site]))
  const residuals = new Map(servedResiduals(base).map((site) => [site.path, site]))
  const lines: string[] = []
  const expect = (what: string, found: readonly number[], wanted: readonly (number | string)[]): void => {
    const fits =
      found.length === wanted.length && wanted.every((size, i) => typeof size === "string" || size === found[i])
    if (!fits) lines.push(`${what}: expected [${wanted.join(", ")}] but found [${found.join(", ")}]`)
  }
  const linear = (path: string) => {
    const site = linears.get(path)
    if (!site) lines.push(`${path}: the base has no such linear layer`)
    return site
  }
  const prefixes = forms.filter((form) => form.form === "prefix")
  for (const form of forms) {
    switch (form.form) {
      case "lowrank": {
        const site = linear(form.path)
        if (!site) break
        expect(`${form.path} A`, form.a.shape, ["rank", site.inFeatures])
        expect(`${form.path} B`, form.b.shape, [site.outFeatures, form.a.shape[0]!])
        break
      }
      case "scale": {
        const site = linear(form.path)
        if (site) expect(form.path, form.vector.shape, [form.side === "input" ? site.inFeatures : site.outFeatures])
        break
      }
      case "bias": {
        const norm = norms.get(form.path)
        const site = norm ? null : linear(form.path)
        if (norm ?? site) expect(form.path, form.vector.shape, [norm?.features ?? site!.outFeatures])
        break
      }
      case "prompt":
        expect("prompt_embeddings", form.embeddings.shape, ["virtual tokens", hiddenSize])
        break
      case "prefix": {
        const count = prefixes[0]!.keys.shape[0]!
        if (form.layer >= layers) lines.push(`prefix of layer ${form.layer}: the base has ${layers} layers`)
        expect(`keys of layer ${form.layer}`, form.keys.shape, [count, kvHeads, headDim])
        expect(`values of layer ${form.layer}`, form.values.shape, [count, kvHeads, headDim])
        break
      }
      case "bottleneck": {
        const site = residuals.get(form.path)
        if (!site) {
          lines.push(`${form.path}: the base has no such sub-layer`)
          break
        }
        const size = form.down.shape[0]!
        expect(`${form.path} down`, form.down.shape, ["size", site.features])
        expect(`${form.path} down bias`, form.downBias.shape, [size])
        expect(`${form.path} up`, form.up.shape, [site.features, size])
        expect(`${form.path} up bias`, form.upBias.shape, [site.features])
        break
      }
      case "weights": {
        const norm = norms.get(form.name.replace(/\.(weight|bias)$/, ""))
        if (!norm)
          throw new EspalierError("unsupported", `A model with its own ${form.name} is a base, not an adapter`, {
            hint: "Serve its folder with --base",
          })
        expect(form.name, form.value.shape, [norm.features])
        break
      }
      case "table": {
        const { vocabSize } = base.config
        expect(`rows of the ${form.side}`, form.rows.shape, [form.ids?.length ?? vocabSize, hiddenSize])
        const beyond = form.ids?.find((id) => id >= vocabSize)
        if (beyond !== undefined) lines.push(`token ${beyond}: the base has ${vocabSize}`)
        break
      }
      default:
        form satisfies never
    }
  }
  if (prefixes.length > 0 && prefixes.length !== layers)
    lines.push(`prefix: expected one of each of ${layers} layers but found ${prefixes.length}`)
  const virtual = virtualTokensOf(forms)
  if (virtual >= context) lines.push(`${virtual} virtual tokens leave no room in a context of ${context}`)
  if (lines.length > 0) {
    const shown = lines.slice(0, 12).concat(lines.length > 12 ? [`and ${lines.length - 12} more`] : [])
    throw new EspalierError(
      "adapter_mismatch",
      `The adapter doesn't fit base "${base.name}": ${lines.length} tensors differ\n  ${shown.join("\n  ")}`,
    )
  }
  const kinds = new Set(forms.flatMap((form) => (form.form === "bottleneck" ? [form.nonlinearity] : [])))
  if (kinds.size > 1)
    throw new EspalierError(
      "unsupported",
      `Bottlenecks of several nonlinearities in one adapter: ${[...kinds].join(", ")}`,
    )
  const paths = forms.flatMap((form) => (form.form === "bottleneck" ? [form.path] : []))
  if (new Set(paths).size < paths.length)
    throw new EspalierError("unsupported", "Several bottlenecks at the end of one sub-layer")
}
