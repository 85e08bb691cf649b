/**
 * @module LoRA: y = W x + s B A x, with W frozen and s = alpha / r, or alpha / sqrt(r) for rsLoRA.
 *
 *     x ──┬── W (frozen) ───────────┬── y
 *         └── dropout ── A [r, in] ── B [out, r] · s
 *
 * Sources: Hu et al. 2021, https://arxiv.org/abs/2106.09685; rsLoRA: Kalajdzievski 2023, https://arxiv.org/abs/2312.03732;
 * LoRA+: Hayou et al. 2024, https://arxiv.org/abs/2402.12354.
 * With `loraBias` the second factor has a bias c: y = W x + s (B A x + c), as what is extracted from a full fine-tune of a
 * base with biases has.
 * With `bias` the base's own biases are trained beside it: those of the layers that have a LoRA, or all that there are.
 * PEFT layout: `<path>.lora_A.weight` [r, in], `<path>.lora_B.weight` [out, r], `<path>.lora_B.bias` [out]; a bias of the base
 * as `<path>.bias`, under a LoRA `<path>.base_layer.bias`.
 */
import * as v from "valibot"
import { f32, type Tensor } from "../src/core/tensor.ts"
import type { Form } from "../src/forms/form.ts"
import type { Value } from "../src/graph/ir.ts"
import { defineMethod, type ParameterSpec } from "../src/method.ts"
import type { LinearSite, NormSite, Site } from "../src/models/site.ts"
import { factors, loraEntries, readLora, scaleOf, writeLora } from "./lora-settings.ts"
import { isTarget } from "./targets.ts"

const config = v.strictObject({
  ...loraEntries,
  /** Train a bias of the second factor, too. */
  loraBias: v.optional(v.boolean(), false),
  /** Which of the base's biases are trained as well. */
  bias: v.optional(v.picklist(["none", "lora_only", "all"]), "none"),
})
type Config = v.InferOutput<typeof config>

type Name = "lora_A" | "lora_B" | "lora_B_bias" | "bias"

/** The base's bias of a site as a parameter, where it is one. */
function biasOf(site: Site, c: Config): ParameterSpec<"bias">[] {
  if (c.bias === "none" || !hasBias(site)) return []
  const isTargeted = isTarget(site, c)
  if (c.bias === "lora_only" && !isTargeted) return []
  return [
    {
      name: "bias",
      key: `base_model.model.${site.path}${isTargeted ? ".base_layer" : ""}.bias`,
      shape: [site.kind === "norm" ? site.features : site.outFeatures],
      init: { kind: "weight", name: `${site.path}.bias` },
      decay: false,
    },
  ]
}

const hasBias = (site: Site): site is LinearSite | NormSite =>
  (site.kind === "linear" || site.kind === "norm") && site.bias

/** a - b. */
const difference = (a: Float32Array, b: Float32Array): Float32Array => a.map((x, i) => x - b[i]!)

export const lora = defineMethod({
  name: "lora",
  summary: "low-rank updates beside frozen linear layers: the usual choice, strong and small",
  source: "https://arxiv.org/abs/2106.09685",
  config,
  learningRate: 1e-3,
  params(site, c): ParameterSpec<Name>[] {
    const pair = factors(site, c)
    const bias = biasOf(site, c)
    if (!pair || site.kind !== "linear") return bias
    if (!c.loraBias) return [...pair, ...bias]
    const key = `base_model.model.${site.path}.lora_B.bias`
    const ofB = { name: "lora_B_bias", key, shape: [site.outFeatures], init: { kind: "zeros" }, decay: false } as const
    return [...pair, ofB, ...bias]
  },
  hooks: {
    linear({ g, x, base, site, dropout }, { lora_A, lora_B, lora_B_bias, bias }: Partial<Record<Name, Value>>, c) {
      const frozen = base(x, bias ? { bias } : {})
      if (!lora_A || !lora_B) return frozen
      const scale = scaleOf(site.path, c)
      const down = g.gemm(dropout(x, c.dropout), lora_A, { transB: true }) // [N, r]
      const y = g.gemm(down, lora_B, { transB: true, alpha: scale, c: frozen })
      return lora_B_bias ? g.add(y, g.mul(lora_B_bias, scale)) : y
    },
    norm: ({ x, base }, { bias }) => base(x, { bias }),
  },
  async finish(site, { lora_A, lora_B, lora_B_bias, bias }: Partial<Record<Name, Tensor<"f32">>>, c, read) {
    if (site.kind !== "linear" && site.kind !== "norm") return []
    const { path } = site
    const scale = scaleOf(path, c)
    const forms: Form[] = lora_A && lora_B ? [{ form: "lowrank", path, a: lora_A, b: lora_B, scale }] : []
    const added = [
      ...(lora_B_bias ? [lora_B_bias.data.map((x) => scale * x)] : []),
      ...(bias ? [difference(bias.data, await read(`${path}.bias`))] : []),
    ]
    const [first, second] = added
    if (!first) return forms
    const vector = second ? first.map((x, i) => x + second[i]!) : first
    return [...forms, { form: "bias", path, vector: f32([vector.length], vector) }]
  },
  peft: {
    type: "LORA",
    matches: (json) => !json["use_dora"],
    write: (c, env) => ({ ...writeLora(c, env, false), lora_bias: c.loraBias, bias: c.bias }),
    read: (json) => ({
      ...readLora({ ...json, lora_bias: false, bias: "none" }),
      loraBias: json["lora_bias"] ?? false,
      bias: json["bias"] ?? "none",
    }),
  },
})
