/**
 * @module Soft prompts and prefixes in PEFT's layout.
 */
import { f32 } from "../core/tensor.ts"
import type { PrefixForm, PromptForm } from "../forms/form.ts"
import type { PeftBase, PeftFiles } from "./peft-parts.ts"

/** A soft prompt. */
export function promptFiles(forms: readonly PromptForm[], { config }: PeftBase): PeftFiles {
  const { embeddings } = forms[0]!
  return {
    config: {
      auto_mapping: null,
      num_attention_heads: config.heads,
      num_layers: config.layers,
      num_transformer_submodules: 1,
      num_virtual_tokens: embeddings.shape[0],
      peft_type: "PROMPT_TUNING",
      prompt_tuning_init: "RANDOM",
      prompt_tuning_init_text: null,
      revision: null,
      task_type: "CAUSAL_LM",
      token_dim: config.hiddenSize,
      tokenizer_kwargs: null,
      tokenizer_name_or_path: null,
    },
    tensors: new Map([["prompt_embeddings", embeddings]]),
  }
}

/** A prefix of every layer: `prompt_embeddings` [virtual tokens, 2 * layers * kvHeads * headDim], keys before values. */
export function prefixFiles(forms: readonly PrefixForm[], { config }: PeftBase): PeftFiles {
  const { layers, kvHeads, headDim } = config
  const width = kvHeads * headDim
  const count = forms[0]!.keys.shape[0]!
  const data = new Float32Array(count * 2 * layers * width)
  for (const { layer, keys, values } of forms)
    for (const [half, tensor] of [keys, values].entries())
      for (let t = 0; t < count; t++)
        data.set(tensor.data.subarray(t * width, (t + 1) * width), (t * 2 * layers + 2 * layer + half) * width)
  return {
    config: {
      auto_mapping: null,
      encoder_hidden_size: width,
      init_weights: null,
      modules_to_save: null,
      // With grouped queries PEFT counts key-value heads here, and their width.
      num_attention_heads: kvHeads,
      num_layers: layers,
      num_transformer_submodules: 1,
      num_virtual_tokens: count,
      peft_type: "PREFIX_TUNING",
      prefix_projection: false,
      revision: null,
      task_type: "CAUSAL_LM",
      token_dim: width,
    },
    tensors: new Map([["prompt_embeddings", f32([count, 2 * layers * width], data)]]),
  }
}
