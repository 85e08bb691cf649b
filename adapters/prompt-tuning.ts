/**
 * @module Prompt tuning: virtual token embeddings before the text, trained with everything else frozen.
 *
 * Source: Lester et al. 2021, https://arxiv.org/abs/2104.08691. PEFT layout: `prompt_embeddings` [virtual tokens, hidden].
 * The initialisation decides its fate: rows of the vocabulary or of a fitting text, never noise, where there is a choice.
 */
import * as v from "valibot"
import { EspalierError } from "../src/core/errors.ts"
import { defineMethod, type Init, type MethodEnv } from "../src/method.ts"
import { refuseForeign } from "./lora-settings.ts"

const config = v.strictObject({
  virtualTokens: v.optional(v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(4096)), 16),
  /** Where the embeddings start: rows of random tokens, rows of `initText`'s tokens, or noise of the table's spread. */
  init: v.optional(v.picklist(["sample-vocab", "text", "random"]), "sample-vocab"),
  initText: v.optional(v.nullable(v.string()), null),
})
type Config = v.InferOutput<typeof config>

const peftInit = { "sample-vocab": "SAMPLE_VOCAB", text: "TEXT", random: "RANDOM" } as const

function initOf(c: Config, env: MethodEnv): Init {
  const weight = env.tokenEmbedding
  // Virtual tokens stand where a base has scaled its own embeddings already.
  const { tokenScale } = env.config
  const scaled = tokenScale === 1 ? {} : { scale: tokenScale }
  if (c.init === "random") return { kind: "normal-like", weight, ...scaled }
  if (c.init === "sample-vocab") {
    const random = env.rng("prompt-tuning:sample-vocab")
    return {
      kind: "rows",
      weight,
      ids: Array.from({ length: c.virtualTokens }, () => random.below(env.config.vocabSize)),
      ...scaled,
    }
  }
  const ids = c.initText ? env.encode(c.initText) : []
  if (ids.length === 0)
    throw new EspalierError("invalid_request", "Initialising from text needs a text of at least one token", {
      param: "method.initText",
    })
  // As PEFT: the text is repeated, then cut, to the wanted number of tokens.
  return {
    kind: "rows",
    weight,
    ids: Array.from({ length: c.virtualTokens }, (_, i) => ids[i % ids.length]!),
    ...scaled,
  }
}

export const promptTuning = defineMethod({
  name: "prompt_tuning",
  summary: "a few virtual tokens before the text: the smallest adapter, good for a form or a style",
  source: "https://arxiv.org/abs/2104.08691",
  config,
  learningRate: 3e-2,
  virtualTokens: (c) => c.virtualTokens,
  params: (site, c, env) =>
    site.kind === "prompt"
      ? [
          {
            name: "prompt_embeddings",
            key: "prompt_embeddings",
            shape: [c.virtualTokens, site.features],
            init: initOf(c, env),
          },
        ]
      : [],
  hooks: { prompt: (_context, { prompt_embeddings }) => prompt_embeddings },
  finish: (_site, { prompt_embeddings }) => [{ form: "prompt", embeddings: prompt_embeddings }],
  peft: {
    type: "PROMPT_TUNING",
    write: (c, { config: base }) => ({
      auto_mapping: null,
      num_attention_heads: base.heads,
      num_layers: base.layers,
      num_transformer_submodules: 1,
      num_virtual_tokens: c.virtualTokens,
      // TEXT makes PEFT fetch a tokenizer when it loads the folder, for weights that are then overwritten.
      prompt_tuning_init: c.init === "text" ? "RANDOM" : peftInit[c.init],
      prompt_tuning_init_text: null,
      revision: null,
      task_type: "CAUSAL_LM",
      token_dim: base.hiddenSize,
      tokenizer_kwargs: null,
      tokenizer_name_or_path: null,
    }),
    read(json) {
      refuseForeign(json, { num_transformer_submodules: 1, modules_to_save: null })
      return { virtualTokens: json["num_virtual_tokens"], init: "random" }
    },
  },
})
