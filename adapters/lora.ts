/**
 * @module LoRA: y = W x + s B A x, with W frozen and s = alpha / r, or alpha / sqrt(r) for rsLoRA.
 *
 *     x ──┬── W (frozen) ───────────┬── y
 *         └── dropout ── A [r, in] ── B [out, r] · s
 *
 * Sources: Hu et al. 2021, https://arxiv.org/abs/2106.09685; rsLoRA: Kalajdzievski 2023, https://arxiv.org/abs/2312.03732;
 * LoRA+: Hayou et al. 2024, https://arxiv.org/abs/2402.12354.
 * With `init: "pissa"` it begins with the principal directions of W, see pissa.ts.
 * With `loraBias` the second factor has a bias c: y = W x + s (B A x + c), as what is extracted from a full fine-tune of a
 * base with biases has.
 * With `bias` the base's own biases are trained beside it: those of the layers that have a LoRA, or all that there are.
 * The token embedding and the output layer may have a LoRA as well (table-lora.ts), and modules beside it may be trained whole
 * (whole-modules.ts).
 * PEFT layout: `<path>.lora_A.weight` [r, in], `<path>.lora_B.weight` [out, r], `<path>.lora_B.bias` [out]; a bias of the base
 * as `<path>.bias`, under a LoRA `<path>.base_layer.bias`.
 */
import * as v from "valibot"
import { EspalierError } from "../src/core/errors.ts"
import { f32, type Tensor } from "../src/core/tensor.ts"
import type { Form } from "../src/forms/form.ts"
import type { Value } from "../src/graph/ir.ts"
import { defineMethod, type MethodEnv, type ParameterSpec } from "../src/method.ts"
import type { LinearSite, NormSite, Site } from "../src/models/site.ts"
import { factors, loraEntries, readLora, scaleOf, starts, writeLora } from "./lora-settings.ts"
import { besideNegated, stackedRows } from "./pissa.ts"
import { type TableName, tableForms, tableHead, tableLookUp, tableParams } from "./table-lora.ts"
import { isTarget } from "./targets.ts"
import {
  readWhole,
  type WholeName,
  wholeEntries,
  wholeForms,
  wholeHead,
  wholeLookUp,
  wholeNorm,
  wholeParams,
  writeWhole,
} from "./whole-modules.ts"

const config = v.strictObject({
  ...loraEntries,
  /** As {@link starts}, or from W's principal directions. */
  init: v.optional(v.picklist([...starts, "pissa"]), "kaiming"),
  /** Train a bias of the second factor, too. */
  loraBias: v.optional(v.boolean(), false),
  /** Which of the base's biases are trained as well. */
  bias: v.optional(v.picklist(["none", "lora_only", "all"]), "none"),
  ...wholeEntries,
})
type Config = v.InferOutput<typeof config>

/** What the adapter file holds. */
type Stored = "lora_A" | "lora_B" | "lora_B_bias" | "bias" | TableName | WholeName
/** PiSSA's factors as they began stay beside them. */
type Name = Stored | "lora_A0" | "lora_B0"

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

/** A table with the rows that forms put into it. */
function withRows(table: Float32Array, forms: readonly Form[]): Float32Array {
  if (forms.length === 0) return table
  const out = table.slice()
  for (const form of forms) {
    if (form.form !== "table" || form.ids === null) continue
    const features = form.rows.shape[1]!
    for (const [i, id] of form.ids.entries())
      out.set(form.rows.data.subarray(i * features, (i + 1) * features), id * features)
  }
  return out
}

/** a - b. */
const difference = (a: Float32Array, b: Float32Array): Float32Array => a.map((x, i) => x - b[i]!)

function parameters(site: Site, c: Config, env: MethodEnv): ParameterSpec<Stored>[] {
  const whole = wholeParams(site, c, env)
  // What is trained whole has no LoRA beside it, as in PEFT.
  if (whole.some(({ name }) => name !== "token_rows")) return whole
  const table = tableParams(site, c)
  if (table.length > 0 && c.loraBias)
    throw new EspalierError("unsupported", `A bias of the LoRA on ${site.path} is not supported`, {
      param: "method.loraBias",
    })
  if (whole.length > 0 && table.length > 0 && site.kind !== "tied_head")
    throw new EspalierError("unsupported", `Rows of tokens beside a LoRA on ${site.path} are not supported`, {
      hint: "PEFT has no such adapter either: take tokens or the LoRA there",
      param: "method.tokens",
    })
  if (whole.length > 0 || table.length > 0) return [...whole, ...table]
  const pair = factors(site, c)
  const bias = biasOf(site, c)
  if (!pair || site.kind !== "linear") return bias
  if (!c.loraBias) return [...pair, ...bias]
  const key = `base_model.model.${site.path}.lora_B.bias`
  const ofB = { name: "lora_B_bias", key, shape: [site.outFeatures], init: { kind: "zeros" }, decay: false } as const
  return [...pair, ofB, ...bias]
}

export const lora = defineMethod({
  name: "lora",
  summary: "low-rank updates beside frozen linear layers: the usual choice, strong and small",
  source: "https://arxiv.org/abs/2106.09685",
  config,
  learningRate: 1e-3,
  params(site, c, env): ParameterSpec<Name>[] {
    const given = parameters(site, c, env)
    if (c.init !== "pissa") return given
    const first = given.flatMap((spec) =>
      spec.name === "lora_A" || spec.name === "lora_B"
        ? [{ ...spec, name: `${spec.name}0` as const, key: spec.key.replace(/\.weight$/, "0.weight"), frozen: true }]
        : [],
    )
    return [...given, ...first]
  },
  stored: {
    params: (site, c, env) =>
      parameters(site, c, env).map((spec) => {
        if (c.init !== "pissa") return spec
        const [rows, columns] = spec.shape as [number, number]
        if (spec.name === "lora_A") return { ...spec, shape: [2 * rows, columns] }
        return spec.name === "lora_B" ? { ...spec, shape: [rows, 2 * columns] } : spec
      }),
    from(_site, { lora_A0, lora_B0, ...p }: Partial<Record<Name, Tensor<"f32">>>) {
      const found = p as Record<Stored, Tensor<"f32">>
      if (!lora_A0 || !lora_B0) return found
      return { ...found, lora_A: stackedRows(found.lora_A, lora_A0), lora_B: besideNegated(found.lora_B, lora_B0) }
    },
  },
  hooks: {
    linear({ g, x, base, site, dropout }, p: Partial<Record<Name, Value>>, c) {
      const { lora_A, lora_B, lora_A0, lora_B0, lora_B_bias, bias } = p
      const scale = scaleOf(site.path, c)
      const whole = base(x, bias ? { bias } : {})
      if (!lora_A || !lora_B) return whole
      const frozen =
        lora_A0 && lora_B0
          ? g.gemm(g.gemm(x, lora_A0, { transB: true }), lora_B0, { transB: true, alpha: -scale, c: whole })
          : whole // W - s B0 A0, or W
      const down = g.gemm(dropout(x, c.dropout), lora_A, { transB: true }) // [N, r]
      const y = g.gemm(down, lora_B, { transB: true, alpha: scale, c: frozen })
      return lora_B_bias ? g.add(y, g.mul(lora_B_bias, scale)) : y
    },
    norm: ({ x, base }, p: Partial<Record<Name, Value>>) =>
      base(x, { ...(p.bias && { bias: p.bias }), ...wholeNorm(p) }),
    lookUp: (context, p: Partial<Record<Name, Value>>, c) => tableLookUp(context, p, c) ?? wholeLookUp(context, p, c),
    head(context, p: Partial<Record<Name, Value>>, c) {
      const whole = wholeHead(context, p, c)
      // A LoRA of a tied output layer is over the rows that it shares with the embedding.
      return tableHead(whole ? { ...context, weight: () => whole } : context, p, c) ?? whole
    },
  },
  async finish(site, p: Partial<Record<Stored, Tensor<"f32">>>, c, read) {
    const { lora_A, lora_B, lora_B_bias, bias } = p
    const whole = wholeForms(site, p, c)
    const tables = await tableForms(site, p, c, async (name) => withRows(await read(name), whole))
    if (tables.length > 0) return tables
    if (whole.length > 0) return whole
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
    write: (c, env) => ({ ...writeLora(c, env, false), ...writeWhole(c), lora_bias: c.loraBias, bias: c.bias }),
    read: (json) => ({
      ...readLora({ ...json, lora_bias: false, bias: "none", modules_to_save: null, trainable_token_indices: null }),
      ...readWhole(json),
      loraBias: json["lora_bias"] ?? false,
      bias: json["bias"] ?? "none",
    }),
  },
})
