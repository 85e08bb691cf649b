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
 * PEFT layout: `<path>.lora_A.weight` [r, in], `<path>.lora_B.weight` [out, r], `<path>.lora_B.bias` [out].
 */
import * as v from "valibot"
import { f32 } from "../src/core/tensor.ts"
import type { Form } from "../src/forms/form.ts"
import { defineMethod, type ParameterSpec } from "../src/method.ts"
import { factors, loraEntries, readLora, scaleOf, writeLora } from "./lora-settings.ts"

export const lora = defineMethod({
  name: "lora",
  summary: "low-rank updates beside frozen linear layers: the usual choice, strong and small",
  source: "https://arxiv.org/abs/2106.09685",
  config: v.strictObject({
    ...loraEntries,
    /** Train a bias of the second factor, too. */
    loraBias: v.optional(v.boolean(), false),
  }),
  learningRate: 1e-3,
  params(site, c): ParameterSpec<"lora_A" | "lora_B" | "lora_B_bias">[] {
    const pair = factors(site, c)
    if (!pair || site.kind !== "linear") return []
    if (!c.loraBias) return pair
    const key = `base_model.model.${site.path}.lora_B.bias`
    return [...pair, { name: "lora_B_bias", key, shape: [site.outFeatures], init: { kind: "zeros" }, decay: false }]
  },
  hooks: {
    linear({ g, x, base, site, dropout }, { lora_A, lora_B, lora_B_bias }, c) {
      const scale = scaleOf(site.path, c)
      const down = g.gemm(dropout(x, c.dropout), lora_A, { transB: true }) // [N, r]
      const y = g.gemm(down, lora_B, { transB: true, alpha: scale, c: base(x) })
      return c.loraBias ? g.add(y, g.mul(lora_B_bias, scale)) : y
    },
  },
  finish({ path }, { lora_A, lora_B, lora_B_bias }, c) {
    const scale = scaleOf(path, c)
    const forms: Form[] = [{ form: "lowrank", path, a: lora_A, b: lora_B, scale }]
    if (c.loraBias) {
      const { shape, data } = lora_B_bias
      forms.push({
        form: "bias",
        path,
        vector: f32(
          shape,
          data.map((x) => scale * x),
        ),
      })
    }
    return forms
  },
  peft: {
    type: "LORA",
    matches: (json) => !json["use_dora"],
    write: (c, env) => ({ ...writeLora(c, env, false), lora_bias: c.loraBias }),
    read: (json) => ({ ...readLora({ ...json, lora_bias: false }), loraBias: json["lora_bias"] ?? false }),
  },
})
