/**
 * @module Bottlenecks as the library `adapters` (AdapterHub) reads them. Its names hold the adapter's; where it reads what
 * is in its configuration, not in its tensors.
 * Source: https://github.com/adapter-hub/adapters `src/adapters/{loading,configuration/adapter_config}.py`
 */
import { encodeUtf8 } from "../core/bytes.ts"
import { EspalierError } from "../core/errors.ts"
import type { Tensor } from "../core/tensor.ts"
import { asF32, assertFinite } from "../formats/as-f32.ts"
import { parseStrictJson } from "../formats/json-strict.ts"
import { ADAPTER_LIMITS, readSafetensors, writeSafetensors } from "../formats/safetensors.ts"
import type { ResidualSite } from "../models/site.ts"
import { type AdapterFormat, type ExportBase, mismatch } from "./format.ts"

const CONFIG = "adapter_config.json"
const WEIGHTS = "adapter.safetensors"

/** Our kinds of bottlenecks in its settings: seq_bn, double_seq_bn and par_bn. */
const kinds = {
  pfeiffer: { mh_adapter: false, output_adapter: true, is_parallel: false, original_ln_before: true },
  houlsby: { mh_adapter: true, output_adapter: true, is_parallel: false, original_ln_before: false },
  parallel: { mh_adapter: false, output_adapter: true, is_parallel: true, original_ln_before: false },
} as const
type Kind = keyof typeof kinds

/** Activations; its gelu is the exact one, which there is none of here. */
const activations = { relu: "relu", silu: "swish", gelu: "gelu_new" } as const

/** Names of the tensors here and there. */
const parts = [
  ["adapter_down.weight", "adapter_down.0.weight"],
  ["adapter_down.bias", "adapter_down.0.bias"],
  ["adapter_up.weight", "adapter_up.weight"],
  ["adapter_up.bias", "adapter_up.bias"],
] as const

const residuals = ({ sites }: ExportBase, kind: Kind): ResidualSite[] =>
  sites.filter((site): site is ResidualSite => site.kind === "residual" && (site.role === "mlp" || kind === "houlsby"))

/** What its tensors at a site begin with. */
const prefixOf = ({ path, role }: ResidualSite, name: string): string =>
  `${path.replace(/\.[^.]+$/, "")}.${role === "mlp" ? "output" : "attention"}_adapters.adapters.${name}`

/** Names stand between dots. */
const hubName = (name: string): string => name.replace(/\W/g, "_")

export const adapterHub: AdapterFormat = {
  name: "adapter-hub",
  single: false,
  files: [CONFIG, WEIGHTS],
  write({ name: given, method, config, tensors }, base) {
    const kind = config["kind"] as Kind
    if (config["peft_type"] !== "BOTTLENECK" || !Object.hasOwn(kinds, kind))
      throw new EspalierError(
        "unsupported",
        `Format adapter-hub is written for bottlenecks only, but adapter "${given}" is made by ${method}`,
        { hint: "--to peft is the format that most other libraries read", param: "to" },
      )
    const name = hubName(given)
    const out = new Map<string, Tensor>()
    const without: number[] = []
    for (const site of residuals(base, kind)) {
      const here = parts.map(([ours]) => tensors.get(`base_model.model.${site.path}.${ours}`))
      if (here.some((tensor) => !tensor)) without.push(site.layer)
      else for (const [i, [, theirs]] of parts.entries()) out.set(`${prefixOf(site, name)}.${theirs}`, here[i]!)
    }
    const json = {
      config: {
        adapter_residual_before_ln: false,
        cross_adapter: false,
        factorized_phm_W: true,
        factorized_phm_rule: false,
        hypercomplex_nonlinearity: "glorot-uniform",
        init_weights: kind === "parallel" ? "mam_adapter" : "bert",
        inv_adapter: null,
        inv_adapter_reduction_factor: null,
        learn_phm: true,
        leave_out: [...new Set(without)],
        ln_after: false,
        ln_before: false,
        non_linearity: activations[config["nonlinearity"] as keyof typeof activations],
        original_ln_after: true,
        phm_bias: true,
        phm_c_init: "normal",
        phm_dim: 4,
        phm_init_range: 0.0001,
        phm_layer: false,
        phm_rank: 1,
        reduction_factor: config["reduction_factor"],
        residual_before_ln: true,
        scaling: config["scaling"],
        shared_W_phm: false,
        shared_phm_rule: true,
        stochastic_depth: 0,
        use_gating: false,
        ...kinds[kind],
      },
      hidden_size: base.config.hiddenSize,
      model_class: `${base.config.modelType[0]!.toUpperCase()}${base.config.modelType.slice(1)}AdapterModel`,
      model_name: base.name,
      model_type: base.config.modelType,
      name,
      version: "adapters.1.2.0",
    }
    return new Map([
      [CONFIG, encodeUtf8(`${JSON.stringify(json, null, 2)}\n`)],
      [WEIGHTS, writeSafetensors(out)],
    ])
  },
  read(files, base) {
    const { kind, name, settings } = readConfig(files.get(CONFIG)!, base)
    const left = readSafetensors(files.get(WEIGHTS)!, WEIGHTS, ADAPTER_LIMITS)
    const tensors = new Map<string, Tensor<"f32">>()
    const layers = new Set<number>()
    for (const site of residuals(base, kind))
      for (const [ours, theirs] of parts) {
        const key = `${prefixOf(site, name)}.${theirs}`
        const tensor = left.get(key)
        if (!tensor) continue
        left.delete(key)
        layers.add(site.layer)
        const numbers = asF32(tensor, key, WEIGHTS)
        assertFinite(numbers.data, key, WEIGHTS)
        tensors.set(`base_model.model.${site.path}.${ours}`, numbers)
      }
    if (left.size > 0 || tensors.size === 0) throw mismatch(base, [...left.keys()])
    const all = layers.size === base.config.layers
    const config = {
      kind,
      layers_to_transform: all ? null : [...layers],
      ...settings,
      peft_type: "BOTTLENECK",
      task_type: "CAUSAL_LM",
    }
    return { config, tensors }
  },
}

/** Its configuration in our words. @throws {EspalierError} `unsupported` for settings that no method here has */
function readConfig(bytes: Uint8Array, base: ExportBase) {
  const json = (parseStrictJson(new TextDecoder().decode(bytes)) ?? {}) as Record<string, unknown>
  const config = (json["config"] ?? {}) as Record<string, unknown>
  const { name, hidden_size: hidden } = json
  if (typeof name !== "string") throw new EspalierError("invalid_file", `${CONFIG}: expected a name`)
  if (hidden !== base.config.hiddenSize)
    throw new EspalierError(
      "adapter_mismatch",
      `${CONFIG}: hidden_size is ${String(hidden)}, but base "${base.name}" has ${base.config.hiddenSize}`,
    )
  const kind = (Object.keys(kinds) as Kind[]).find((each) =>
    Object.entries(kinds[each]).every(([key, value]) => (config[key] ?? false) === value),
  )
  const nonlinearity = Object.entries(activations).find(([, theirs]) => theirs === config["non_linearity"])?.[0]
  const foreign = ["ln_before", "ln_after", "use_gating", "phm_layer", "inv_adapter", "stochastic_depth"].find(
    (key) => config[key],
  )
  if (!kind || !nonlinearity || foreign !== undefined || config["residual_before_ln"] === false)
    throw new EspalierError(
      "unsupported",
      `${CONFIG}: these bottlenecks are none of pfeiffer, houlsby and parallel${foreign ? `: they have ${foreign}` : ""}`,
      { hint: `Activations that can be read: ${Object.values(activations).join(", ")}` },
    )
  const settings = { nonlinearity, reduction_factor: config["reduction_factor"], scaling: config["scaling"] ?? 1 }
  return { kind, name, settings }
}
