/**
 * @module Merged forms as a folder in PEFT's layout. A merge may leave each layer another rank, so that what PEFT calls
 * rank_pattern and alpha_pattern carry them; scales are multiplied into B, where PEFT has no place for them.
 */
import { EspalierError } from "../core/errors.ts"
import { f32, type Tensor } from "../core/tensor.ts"
import type { Form, LowrankForm } from "../forms/form.ts"
import type { ModelConfig } from "../models/architecture.ts"
import type { LinearSite, Site } from "../models/site.ts"

/** adapter_config.json, without what every adapter has, and the tensors. */
export interface PeftFiles {
  readonly config: Readonly<Record<string, unknown>>
  readonly tensors: ReadonlyMap<string, Tensor<"f32">>
}

/** What of the base decides how an adapter is written. */
export interface PeftBase {
  readonly config: ModelConfig
  readonly sites: readonly Site[]
}

/** @throws {EspalierError} `unsupported` for forms that no one folder holds */
export function peftFiles(forms: readonly Form[], base: PeftBase): PeftFiles {
  const kinds = [...new Set(forms.map(({ form }) => form))]
  const [kind] = kinds
  if (kinds.length === 1 && kind === "lowrank") return loraFiles(forms as readonly LowrankForm[], base)
  throw new EspalierError("unsupported", `An adapter folder can't hold ${kinds.join(" and ") || "nothing"}`)
}

/**
 * Names for `target_modules` that mean exactly these layers: the last parts of their paths, where no other layer has
 * them, else whole paths.
 */
export function targetNames(paths: readonly string[], sites: readonly Site[]): string[] {
  const meant = new Set(paths)
  const lastOf = (path: string): string => path.split(".").at(-1)!
  const others = new Set(
    sites.flatMap((site) => (site.kind === "linear" && !meant.has(site.path) ? [lastOf(site.path)] : [])),
  )
  const names = paths.map((path) => (others.has(lastOf(path)) ? path : lastOf(path)))
  return [...new Set(names)].sort()
}

/** Whether the base's linear layers hold their weights as [in, out]. */
const isTransposed = (sites: readonly Site[]): boolean =>
  sites.some((site): site is LinearSite => site.kind === "linear" && site.transposed)

function loraFiles(forms: readonly LowrankForm[], { sites }: PeftBase): PeftFiles {
  const tensors = new Map<string, Tensor<"f32">>()
  const ranks = new Map<string, number>()
  for (const { path, a, b, scale } of forms) {
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
      lora_bias: false,
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

/** The number that occurs most often, the first of them. */
function commonest(numbers: readonly number[]): number {
  const counts = new Map<number, number>()
  for (const number of numbers) counts.set(number, (counts.get(number) ?? 0) + 1)
  return [...counts].reduce((best, each) => (each[1] > best[1] ? each : best))[0]
}
