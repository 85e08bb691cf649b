/**
 * @module Low-rank updates as a PEFT folder whose factors are untouched: scales go into lora_alpha and alpha_pattern.
 */
import type { LowrankForm } from "../forms/form.ts"
import { peftFiles } from "../merge/peft-files.ts"
import type { PeftBase, PeftFiles } from "../merge/peft-parts.ts"

/** A folder's content. */
export function peftLora(forms: readonly LowrankForm[], base: PeftBase): PeftFiles {
  const { config, tensors } = peftFiles(
    forms.map((form) => ({ ...form, scale: 1 })),
    base,
  )
  const alphas = new Map(forms.map(({ path, a, scale }) => [path, scale * a.shape[0]!]))
  // The one of a layer of the common rank, if there is one: rank_pattern names the others anyway.
  const alpha = alphas.get(forms.find(({ a }) => a.shape[0] === config["r"])?.path ?? "") ?? 1
  const others = Object.fromEntries([...alphas].filter(([, found]) => found !== alpha))
  return { config: { ...config, lora_alpha: alpha, alpha_pattern: others }, tensors }
}
