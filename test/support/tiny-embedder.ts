/**
 * @module A feature-extraction model of a few words in a folder, as transformers.js reads it: BERT's inputs and tokenizer,
 * and states that are the hyperbolic tangents of its embeddings, times a matrix.
 */
import { mkdir, writeFile } from "node:fs/promises"
import { join } from "node:path"
import { bytesOf } from "../../src/core/bytes.ts"
import { rng } from "../../src/core/rng.ts"
import { encodeModel } from "../../src/graph/onnx/write.ts"

const words = "[PAD] [UNK] [CLS] [SEP] the a is here word river stream lake baker".split(" ")
const SIZE = 8

const random = rng(1, "tiny embedder")
const table = Float32Array.from({ length: words.length * SIZE }, () => random.normal())
const matrix = Float32Array.from({ length: SIZE * SIZE }, () => random.normal() / Math.sqrt(SIZE))
// These mean the same.
const row = (word: string): number => words.indexOf(word) * SIZE
table.copyWithin(row("stream"), row("river"), row("river") + SIZE)
// And these say little.
for (const word of ["[CLS]", "[SEP]", "the", "a", "is", "here"])
  for (let i = 0; i < SIZE; i++) table[row(word) + i]! *= 0.1

/** What the model makes of a text, by other means than ONNX: the mean of its words' states, of length 1. */
export function tinyEmbedding(text: string): Float32Array {
  const pieces = ["[CLS]", ...text.toLowerCase().split(" "), "[SEP]"].map((word) =>
    words.includes(word) ? word : "[UNK]",
  )
  const sum = new Float32Array(SIZE)
  for (const piece of pieces)
    for (let i = 0; i < SIZE; i++) {
      let state = 0
      for (let j = 0; j < SIZE; j++) state += table[row(piece) + j]! * matrix[j * SIZE + i]!
      sum[i]! += Math.tanh(state)
    }
  const length = Math.hypot(...sum)
  return sum.map((x) => x / length)
}

const model = encodeModel({
  name: "tiny",
  opsets: { "": 18 },
  inputs: ["input_ids", "attention_mask", "token_type_ids"].map((name) => ({
    ...{ name, dtype: "i64" as const, shape: ["batch", "length"] },
  })),
  outputs: [{ name: "last_hidden_state", dtype: "f32", shape: ["batch", "length", SIZE] }],
  initializers: [
    { name: "table", dtype: "f32", shape: [words.length, SIZE], data: { kind: "inline", bytes: bytesOf(table) } },
    { name: "matrix", dtype: "f32", shape: [SIZE, SIZE], data: { kind: "inline", bytes: bytesOf(matrix) } },
  ],
  nodes: [
    ["Gather", ["table", "input_ids"], "words"] as const,
    ["MatMul", ["words", "matrix"], "mixed"] as const,
    ["Tanh", ["mixed"], "last_hidden_state"] as const,
  ].map(([opType, inputs, output]) => ({
    ...{ name: output, opType, domain: "", inputs: [...inputs], outputs: [output], attributes: {} },
  })),
})

const special = (id: number) => ({
  ...{ id, content: words[id], special: true, single_word: false, lstrip: false, rstrip: false, normalized: false },
})

const tokenizer = {
  version: "1.0",
  truncation: null,
  padding: null,
  added_tokens: [0, 1, 2, 3].map(special),
  normalizer: {
    type: "BertNormalizer",
    clean_text: true,
    handle_chinese_chars: true,
    strip_accents: null,
    lowercase: true,
  },
  pre_tokenizer: { type: "BertPreTokenizer" },
  post_processor: {
    type: "TemplateProcessing",
    single: [
      { SpecialToken: { id: "[CLS]", type_id: 0 } },
      { Sequence: { id: "A", type_id: 0 } },
      { SpecialToken: { id: "[SEP]", type_id: 0 } },
    ],
    pair: [],
    special_tokens: Object.fromEntries(
      [2, 3].map((id) => [words[id], { id: words[id], ids: [id], tokens: [words[id]] }]),
    ),
  },
  decoder: { type: "WordPiece", prefix: "##", cleanup: true },
  model: {
    type: "WordPiece",
    unk_token: "[UNK]",
    continuing_subword_prefix: "##",
    max_input_chars_per_word: 100,
    vocab: Object.fromEntries(words.map((word, id) => [word, id])),
  },
}

/** Writes the model into a folder, which is made. */
export async function writeTinyEmbedder(folder: string): Promise<void> {
  await mkdir(join(folder, "onnx"), { recursive: true })
  const json = (name: string, value: object) => writeFile(join(folder, name), JSON.stringify(value))
  await writeFile(join(folder, "onnx", "model.onnx"), model)
  await json("tokenizer.json", tokenizer)
  await json("tokenizer_config.json", {
    tokenizer_class: "BertTokenizer",
    ...{ pad_token: "[PAD]", unk_token: "[UNK]", cls_token: "[CLS]", sep_token: "[SEP]", model_max_length: 64 },
  })
  await json("config.json", {
    ...{ model_type: "bert", architectures: ["BertModel"], hidden_size: SIZE, vocab_size: words.length },
    ...{ num_attention_heads: 1, num_hidden_layers: 1, intermediate_size: SIZE, max_position_embeddings: 64 },
  })
}
