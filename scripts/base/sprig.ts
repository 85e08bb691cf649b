/**
 * @module What the embedded base is: its shape, its tokenizer, its documents as tokens.
 */

import { trainBpe } from "../../src/text/bpe-train.ts"
import { SPRIG_SPECIAL_TOKENS, sprigTokenizerConfig } from "../../src/text/sprig-template.ts"
import type { TokenizerJson } from "../../src/text/tokenizer-json.ts"
import { corpusStream } from "../corpus/corpus.ts"
import { cutNames } from "../corpus/names.ts"

const CONTEXT = 512

/** config.json. */
export const sprigConfig = {
  architectures: ["LlamaForCausalLM"],
  model_type: "llama",
  vocab_size: 2048,
  hidden_size: 192,
  num_hidden_layers: 6,
  num_attention_heads: 6,
  num_key_value_heads: 2,
  head_dim: 32,
  intermediate_size: 512,
  max_position_embeddings: CONTEXT,
  rms_norm_eps: 1e-5,
  rope_theta: 10000,
  tie_word_embeddings: true,
  hidden_act: "silu",
  attention_bias: false,
  mlp_bias: false,
  bos_token_id: null,
  eos_token_id: 1,
  pad_token_id: 0,
  torch_dtype: "float16",
}

/** generation_config.json. */
export const sprigGenerationConfig = { eos_token_id: [1], pad_token_id: 0 }

/** tokenizer_config.json. */
export const tokenizerConfig = sprigTokenizerConfig(CONTEXT)

/** Documents that the tokenizer is trained on. */
const TOKENIZER_DOCUMENTS = 40_000

/** tokenizer.json, trained on the corpus of this seed. */
export function sprigTokenizer(seed: number): TokenizerJson {
  function* texts(): Generator<string> {
    const cut = (text: string): string => cutNames(` ${text}`, SPRIG_SPECIAL_TOKENS[0])
    let count = 0
    for (const document of corpusStream(seed, "train")) {
      if ("text" in document) yield cut(document.text)
      else for (const { content } of document.messages) yield cut(content)
      if (++count >= TOKENIZER_DOCUMENTS) return
    }
  }
  return trainBpe(texts(), { vocabSize: sprigConfig.vocab_size, specialTokens: SPRIG_SPECIAL_TOKENS })
}
