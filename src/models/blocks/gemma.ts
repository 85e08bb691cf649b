/**
 * @module What the Gemmas have in common beside their block's layout: how they scale, cap and norm.
 */

import { activationOf } from "../activation.ts"
import type { ModelConfig } from "../architecture.ts"
import { expectOneOf, type Json, positive } from "../config-reader.ts"
import { type BlockTraits, biasesOf } from "./llama-layout.ts"

/** A Gemma's block. @throws {EspalierError} `unsupported` for another activation, or for attention in both directions */
export function gemmaTraits(json: Json): Pick<BlockTraits, "norms" | "activation" | "biases"> {
  // What older files call `hidden_act` counts for nothing, as in the reference.
  const activation = activationOf(json, "hidden_activation", "gelu_pytorch_tanh")
  expectOneOf(json, "use_bidirectional_attention", [false, null], false)
  return { norms: "around", activation, biases: { ...biasesOf(json), mlp: false } }
}

/**
 * How a Gemma scales, caps and norms.
 * @param caps what its configuration class takes where config.json names none
 */
export function gemmaArithmetic(
  json: Json,
  { hiddenSize }: ModelConfig,
  caps: { readonly attention: number | null; readonly logits: number | null },
): Pick<ModelConfig, "attentionScale" | "attentionCap" | "logitCap" | "normOffset" | "tokenScale"> {
  const cap = (field: string, fallback: number | null): number | null => {
    const value = json[field] === undefined ? fallback : json[field]
    return value === null ? null : positive({ [field]: value }, field)
  }
  return {
    attentionScale: positive(json, "query_pre_attn_scalar", 256) ** -0.5,
    attentionCap: cap("attn_logit_softcapping", caps.attention),
    logitCap: cap("final_logit_softcapping", caps.logits),
    normOffset: 1,
    tokenScale: Math.fround(hiddenSize ** 0.5),
  }
}
