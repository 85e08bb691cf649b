/**
 * @module DoRA: LoRA whose direction and length are learned apart. y = (m / |W + s B A|) (W + s B A) x, with |.| the length
 * of each output row and m trained; the length counts as a constant in the gradient, as in the paper's section 4.3.
 *
 * Source: Liu et al. 2024, https://arxiv.org/abs/2402.09353. PEFT layout: LoRA's, `use_dora`, and
 * `<path>.lora_magnitude_vector` [out].
 */
import * as v from "valibot"
import { EspalierError } from "../src/core/errors.ts"
import { f32, type Tensor } from "../src/core/tensor.ts"
import type { Form } from "../src/forms/form.ts"
import type { GraphBuilder } from "../src/graph/builder.ts"
import type { Value } from "../src/graph/ir.ts"
import { defineMethod, type ParameterSpec } from "../src/method.ts"
import type { LinearSite } from "../src/models/site.ts"
import { factors, loraEntries, readLora, scaleOf, writeLora } from "./lora-settings.ts"
import { tableParams } from "./table-lora.ts"
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

type Factor = "lora_A" | "lora_B" | "magnitude"
/** Modules beside it that are trained whole have their own. */
type Name = Factor | WholeName

/** The length of each output row of W + s B A, [1, out]; `weight` is [out, in], or [in, out] where transposed. */
function lengths(g: GraphBuilder, site: LinearSite, weight: Value, a: Value, b: Value, scale: number): Value {
  const sum = site.transposed
    ? g.gemm(a, b, { transA: true, transB: true, alpha: scale, c: weight })
    : g.gemm(b, a, { alpha: scale, c: weight })
  const squares = g.reduceSum(g.mul(sum, sum), [site.transposed ? 0 : 1])
  return g.reshape(g.sqrt(squares), [1, site.outFeatures])
}

/** The same of tensors, f64 inside: [out]. */
function rowLengths(
  { transposed, inFeatures, outFeatures }: LinearSite,
  weight: Float32Array,
  update?: { readonly a: Float32Array; readonly b: Float32Array; readonly scale: number },
): Float64Array {
  const out = new Float64Array(outFeatures)
  const rank = update ? update.a.length / inFeatures : 0
  const row = new Float64Array(inFeatures)
  for (let o = 0; o < outFeatures; o++) {
    for (let i = 0; i < inFeatures; i++) row[i] = weight[transposed ? i * outFeatures + o : o * inFeatures + i]!
    for (let k = 0; k < rank; k++) {
      const factor = update!.scale * update!.b[o * rank + k]!
      for (let i = 0; i < inFeatures; i++) row[i]! += factor * update!.a[k * inFeatures + i]!
    }
    let squares = 0
    for (const x of row) squares += x * x
    out[o] = Math.sqrt(squares)
  }
  return out
}

export const dora = defineMethod({
  name: "dora",
  summary: "LoRA that learns direction and length of each weight row apart: a little better at low ranks, slower",
  source: "https://arxiv.org/abs/2402.09353",
  config: v.strictObject({ ...loraEntries, ...wholeEntries }),
  learningRate: 1e-3,
  params(site, c, env): ParameterSpec<Name>[] {
    const whole = wholeParams(site, c, env)
    if (whole.length > 0) return whole
    if (tableParams(site, c).length > 0)
      throw new EspalierError("unsupported", `DoRA on ${site.path} is not supported`, { param: "method.targets" })
    const pair = factors(site, c)
    if (!pair || site.kind !== "linear") return []
    return [
      ...pair,
      {
        name: "magnitude",
        key: `base_model.model.${site.path}.lora_magnitude_vector`,
        shape: [site.outFeatures],
        // B A is zero where training begins.
        init: {
          kind: "computed",
          make: async ({ read }) => Float32Array.from(rowLengths(site, await read(`${site.path}.weight`))),
        },
      },
    ]
  },
  hooks: {
    linear({ g, x, base, weight, bias, site, dropout }, { lora_A, lora_B, magnitude }, c) {
      const scale = scaleOf(site.path, c)
      const length = g.detach(lengths(g, site, weight(), lora_A, lora_B, scale))
      const ratio = g.div(g.reshape(magnitude, [1, site.outFeatures]), length) // m / |W + s B A|
      const input = dropout(x, c.dropout)
      const update = g.gemm(g.gemm(input, lora_A, { transB: true }), lora_B, { transB: true, alpha: scale })
      const b = bias()
      const whole = base(x)
      const without = (y: Value): Value => (b ? g.sub(y, b) : y)
      if (input === x) {
        const scaled = g.mul(g.add(without(whole), update), ratio)
        return b ? g.add(scaled, b) : scaled
      }
      // As PEFT: what is added to the frozen product reads the dropped input, in both of its parts.
      const added = g.add(g.mul(without(base(input)), g.sub(ratio, 1)), g.mul(update, ratio))
      return g.add(whole, added)
    },
    norm: ({ x, base }, p) => base(x, wholeNorm(p)),
    lookUp: wholeLookUp,
    head: wholeHead,
  },
  async finish(site, p: Partial<Record<Name, Tensor<"f32">>>, c, read) {
    const { lora_A, lora_B, magnitude } = p
    const whole = wholeForms(site, p, c)
    if (whole.length > 0 || site.kind !== "linear" || !lora_A || !lora_B || !magnitude) return whole
    const { path } = site
    const scale = scaleOf(path, c)
    const weight = await read(`${path}.weight`)
    const length = rowLengths(site, weight, { a: lora_A.data, b: lora_B.data, scale })
    const ratio = magnitude.data.map((m, i) => m / length[i]!)
    const forms: Form[] = [
      { form: "lowrank", path, a: lora_A, b: lora_B, scale },
      { form: "scale", path, side: "output", vector: f32([site.outFeatures], ratio) },
    ]
    // The frozen bias is not scaled; a scaled output takes it along, so what is too much is taken back.
    if (site.bias) {
      const bias = await read(`${path}.bias`)
      const back = bias.map((b, i) => b * (1 - ratio[i]!))
      forms.push({ form: "bias", path, vector: f32([site.outFeatures], back) })
    }
    return forms
  },
  peft: {
    type: "LORA",
    matches: (json) => json["use_dora"] === true,
    write: (c, env) => ({ ...writeLora(c, env, true), ...writeWhole(c) }),
    read: (json) => ({
      ...readLora({ ...json, modules_to_save: null, trainable_token_indices: null }),
      ...readWhole(json),
    }),
  },
})
