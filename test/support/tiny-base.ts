/**
 * @module A whole base folder of random weights, a few thousand of them, for tests that need files and no skill.
 */
import { mkdirSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { randomWeights } from "../../scripts/random-base.ts"
import { writeSafetensors } from "../../src/formats/safetensors.ts"
import { llama } from "../../src/models/llama.ts"
import { trainBpe } from "../../src/text/bpe-train.ts"
import { SPRIG_SPECIAL_TOKENS, sprigTokenizerConfig } from "../../src/text/sprig-template.ts"

const CONTEXT = 64

const config = {
  model_type: "llama",
  vocab_size: 320,
  hidden_size: 32,
  num_hidden_layers: 2,
  num_attention_heads: 2,
  num_key_value_heads: 1,
  head_dim: 16,
  intermediate_size: 64,
  max_position_embeddings: CONTEXT,
  rms_norm_eps: 1e-5,
  rope_theta: 10000,
  tie_word_embeddings: true,
  hidden_act: "silu",
  eos_token_id: 1,
}

const words = "What colour is the sky? Blue. Who is it? I don't know. A cat sat on a red mat and a dog sat on it."

/** Writes a base of 64 positions with sprig's chat template. The same seed gives the same bytes. */
export function writeTinyBase(folder: string, seed: number): void {
  mkdirSync(folder, { recursive: true })
  const write = (name: string, json: unknown): void => writeFileSync(join(folder, name), JSON.stringify(json))
  const weights = randomWeights(llama, llama.parseConfig(config), seed)
  // Random weights of the usual size make every token about as likely: these tell prompts apart.
  for (const { shape, data } of weights.values()) if (shape.length > 1) for (const i of data.keys()) data[i]! *= 10
  write("config.json", config)
  // Nothing has taught it to end an answer: so many tokens end one that some soon does.
  const ends = Array.from({ length: config.vocab_size }, (_, id) => id).filter((id) => id === 1 || id % 3 === 2)
  write("generation_config.json", { eos_token_id: ends })
  write("tokenizer.json", trainBpe([` ${words}`], { vocabSize: 320, specialTokens: SPRIG_SPECIAL_TOKENS }))
  write("tokenizer_config.json", sprigTokenizerConfig(CONTEXT))
  writeFileSync(join(folder, "model.safetensors"), writeSafetensors(weights))
}
