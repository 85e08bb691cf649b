/**
 * @module LoRA: y = W x + s B A x, with W frozen and s = alpha / r, or alpha / sqrt(r) for rsLoRA.
 *
 *     x ──┬── W (frozen) ───────────┬── y
 *         └── dropout ── A [r, in] ── B [out, r] · s
 *
 * Sources: Hu et al. 2021, https://arxiv.org/abs/2106.09685; rsLoRA: Kalajdzievski 2023, https://arxiv.org/abs/2312.03732;
 * LoRA+: Hayou et al. 2024, https://arxiv.org/abs/2402.12354.
 * PEFT layout: `<path>.lora_A.weight` [r, in], `<path>.lora_B.weight` [out, r].
 */
import * as v from "valibot"
import { defineMethod } from "../src/method.ts"
import { factors, loraEntries, readLora, scaleOf, writeLora } from "./lora-settings.ts"

export const lora = defineMethod({
  name: "lora",
  summary: "low-rank updates beside frozen linear layers: the usual choice, strong and small",
  source: "https://arxiv.org/abs/2106.09685",
  config: v.strictObject(loraEntries),
  learningRate: 1e-3,
  params: (site, c) => factors(site, c) ?? [],
  hooks: {
    linear({ g, x, base, site, dropout }, { lora_A, lora_B }, c) {
      const down = g.gemm(dropout(x, c.dropout), lora_A, { transB: true }) // [N, r]
      return g.gemm(down, lora_B, { transB: true, alpha: scaleOf(site.path, c), c: base(x) })
    },
  },
  finish: (site, { lora_A, lora_B }, c) => [
    { form: "lowrank", path: site.path, a: lora_A, b: lora_B, scale: scaleOf(site.path, c) },
  ],
  peft: {
    type: "LORA",
    matches: (json) => !json["use_dora"],
    write: (c, env) => writeLora(c, env, false),
    read: readLora,
  },
})
