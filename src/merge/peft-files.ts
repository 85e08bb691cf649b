/**
 * @module Merged forms as a folder in PEFT's layout. A merge may leave each layer another rank, so that what PEFT calls
 * rank_pattern and alpha_pattern carry them; scales are multiplied into B, where PEFT has no place for them.
 */
import { EspalierError } from "../core/errors.ts"
import { f32, type Tensor } from "../core/tensor.ts"
import type { BiasForm, Form, LowrankForm } from "../forms/form.ts"
import type { LinearSite } from "../models/site.ts"
import { bottleneckFiles } from "./peft-bottleneck.ts"
import { isTransposed, type PeftBase, type PeftFiles, targetNames } from "./peft-parts.ts"
import { biasFiles, ia3Files, normFiles } from "./peft-vectors.ts"
import { prefixFiles, promptFiles } from "./peft-virtual.ts"

/** @throws {EspalierError} `unsupported` for forms that no one folder holds */
export function peftFiles(forms: readonly Form[], base: PeftBase): PeftFiles {
  const kinds = [...new Set(forms.map(({ form }) => form))]
  const only = <F extends Form["form"]>(kind: F): Extract<Form, { form: F }>[] | null =>
    kinds.length === 1 && kinds[0] === kind ? (forms as Extract<Form, { form: F }>[]) : null
  if (kinds.includes("lowrank") && kinds.every((kind) => kind === "lowrank" || kind === "bias"))
    return loraFiles(forms as readonly (LowrankForm | BiasForm)[], base)
  const scales = only("scale")
  if (scales) return ia3Files(scales, base)
  const biases = only("bias")
  if (biases) return biasFiles(biases, base)
  const norms = only("weights")
  if (norms) return normFiles(norms, base)
  const prompts = only("prompt")
  if (prompts) return promptFiles(prompts, base)
  const prefixes = only("prefix")
  if (prefixes) return prefixFiles(prefixes, base)
  const bottlenecks = only("bottleneck")
  if (bottlenecks) return bottleneckFiles(bottlenecks, base)
  throw new EspalierError("unsupported", `An adapter folder can't hold ${kinds.join(" and ") || "nothing"}`)
}

/**
 * Low-rank updates, and biases as `lora_bias`, which all layers have or none: zeros stand where there is only one of the
 * two.
 */
function loraFiles(forms: readonly (LowrankForm | BiasForm)[], { sites }: PeftBase): PeftFiles {
  const tensors = new Map<string, Tensor<"f32">>()
  const ranks = new Map<string, number>()
  const biases = new Map(forms.flatMap((form) => (form.form === "bias" ? [[form.path, form.vector]] : [])))
  const updated = new Set(forms.flatMap((form) => (form.form === "lowrank" ? [form.path] : [])))
  const lowrank = [
    ...forms.filter((form) => form.form === "lowrank"),
    ...sites.flatMap((site) =>
      site.kind === "linear" && biases.has(site.path) && !updated.has(site.path) ? [idle(site)] : [],
    ),
  ]
  for (const { path, a, b, scale } of lowrank) {
    if (biases.size > 0)
      tensors.set(
        `base_model.model.${path}.lora_B.bias`,
        biases.get(path) ?? f32([b.shape[0]!], new Float32Array(b.shape[0]!)),
      )
    ranks.set(path, a.shape[0]!)
    tensors.set(`base_model.model.${path}.lora_A.weight`, a)
    const scaled =
      scale === 1
        ? b
        : f32(
            b.shape,
            b.data.map((x) => x * scale),
          )
    tensors.set(`base_model.model.${path}.lora_B.weight`, scaled)
  }
  const rank = commonest([...ranks.values()])
  const others = Object.fromEntries([...ranks].filter(([, found]) => found !== rank))
  return {
    config: {
      alpha_pattern: others,
      auto_mapping: null,
      bias: "none",
      exclude_modules: null,
      fan_in_fan_out: isTransposed(sites),
      init_lora_weights: true,
      layer_replication: null,
      layers_pattern: null,
      layers_to_transform: null,
      lora_alpha: rank,
      lora_bias: biases.size > 0,
      lora_dropout: 0,
      modules_to_save: null,
      peft_type: "LORA",
      r: rank,
      rank_pattern: others,
      revision: null,
      target_modules: targetNames([...ranks.keys()], sites),
      target_parameters: null,
      task_type: "CAUSAL_LM",
      trainable_token_indices: null,
      use_dora: false,
      use_rslora: false,
    },
    tensors,
  }
}

/** An update that changes nothing. */
const idle = ({ path, inFeatures, outFeatures }: LinearSite): LowrankForm => ({
  form: "lowrank",
  path,
  a: f32([1, inFeatures], new Float32Array(inFeatures)),
  b: f32([outFeatures, 1], new Float32Array(outFeatures)),
  scale: 1,
})

/** The number that occurs most often, the first of them. */
function commonest(numbers: readonly number[]): number {
  const counts = new Map<number, number>()
  for (const number of numbers) counts.set(number, (counts.get(number) ?? 0) + 1)
  return [...counts].reduce((best, each) => (each[1] > best[1] ? each : best))[0]
}
