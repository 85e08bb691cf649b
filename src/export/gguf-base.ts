/**
 * @module Bases between Hugging Face's layout and GGUF: settings, names of weights, and rows of q and k in the order of
 * either. For architectures whose numbers llama.cpp takes as they are.
 * Source: https://github.com/ggml-org/llama.cpp `convert_hf_to_gguf.py`, `gguf-py/gguf/constants.py`
 */
import { EspalierError } from "../core/errors.ts"
import { f32 } from "../core/tensor.ts"
import type { GgufMetadata, GgufTensor, GgufValue } from "../formats/gguf/content.ts"
import { ggufTensor, writeGguf } from "../formats/gguf/write.ts"
import type { Base } from "../models/base.ts"
import { ggufArchitecture, turnRows } from "./gguf-names.ts"
import { ggufTokenizer, type TokenizerFiles } from "./gguf-tokenizer.ts"

/** Architectures that go both ways. */
const whole = ["llama", "qwen2", "qwen3"] as const

/** What config.json calls them. */
const classes = { llama: "LlamaForCausalLM", qwen2: "Qwen2ForCausalLM", qwen3: "Qwen3ForCausalLM" } as const

const layerNames: readonly (readonly [string, string])[] = [
  ["input_layernorm", "attn_norm"],
  ["post_attention_layernorm", "ffn_norm"],
  ["self_attn.q_proj", "attn_q"],
  ["self_attn.k_proj", "attn_k"],
  ["self_attn.v_proj", "attn_v"],
  ["self_attn.o_proj", "attn_output"],
  ["self_attn.q_norm", "attn_q_norm"],
  ["self_attn.k_norm", "attn_k_norm"],
  ["mlp.gate_proj", "ffn_gate"],
  ["mlp.up_proj", "ffn_up"],
  ["mlp.down_proj", "ffn_down"],
]
const outerNames: Readonly<Record<string, string>> = {
  "model.embed_tokens.weight": "token_embd.weight",
  "model.norm.weight": "output_norm.weight",
  "lm_head.weight": "output.weight",
}

/** A weight's name in a GGUF file. @throws {TypeError} For one that these architectures don't have. */
export function ggufName(name: string): string {
  const outer = outerNames[name]
  if (outer) return outer
  const [, layer, module, part] = /^model\.layers\.(\d+)\.(.+)\.(weight|bias)$/.exec(name) ?? []
  const found = layerNames.find(([ours]) => ours === module)?.[1]
  if (!found) throw new TypeError(`Weight ${name} has no name in GGUF files`)
  return `blk.${layer}.${found}.${part}`
}

/** Heads whose rows a weight or bias holds, where they are turned. */
function turnedHeads(name: string, modelType: string, heads: number, kvHeads: number): number | null {
  if (!ggufArchitecture(modelType).turned) return null
  return name.includes(".q_proj.") ? heads : name.includes(".k_proj.") ? kvHeads : null
}

/** Settings that files of one kind hold, from config.json and back. */
interface Heads {
  readonly heads: number
  readonly kvHeads: number
  readonly headDim: number
}

/** A weight's numbers in the order of the other side. */
export function turnedWeight(
  name: string,
  data: Float32Array,
  modelType: string,
  { heads, kvHeads, headDim }: Heads,
  back: boolean,
): Float32Array {
  const count = turnedHeads(name, modelType, heads, kvHeads)
  return count === null ? data : turnRows(data, count, headDim, back)
}

/**
 * A whole base as a GGUF file of f32.
 * @param json config.json
 * @param read a weight by name, in the checkpoint's layout
 * @throws {EspalierError} `unsupported` for architectures, rotations and tokenizers that don't go over as they are
 */
export async function ggufBase(
  base: Base,
  json: Readonly<Record<string, unknown>>,
  tokenizer: TokenizerFiles,
  read: (name: string) => Promise<Float32Array>,
): Promise<Uint8Array> {
  const { config, name } = base
  if (!whole.some((each) => each === config.modelType))
    throw new EspalierError("unsupported", `Bases of ${config.modelType} are not written as GGUF`, {
      hint: `Those that are: ${whole.join(", ")}. --to merged writes a folder that llama.cpp's own converter reads`,
      param: "to",
    })
  if (config.attention.some(({ window }) => window !== null))
    throw new EspalierError("unsupported", "Bases whose attention has a window are not written as GGUF", {
      hint: "--to merged writes a folder that llama.cpp's own converter reads",
      param: "to",
    })
  const rope = (json["rope_parameters"] ?? {}) as Record<string, unknown>
  const scaling = (json["rope_scaling"] ?? rope) as Record<string, unknown>
  const type = scaling["rope_type"] ?? scaling["type"] ?? "default"
  if (type !== "default")
    throw new EspalierError("unsupported", `Rotation of type ${String(type)} is not written as GGUF`, {
      hint: "--to merged writes a folder that llama.cpp's own converter reads",
      param: "to",
    })
  const { name: architecture } = ggufArchitecture(config.modelType)
  const { theta } = config.attention[0]!.rope!
  const own = (key: string, type: "u32" | "f32", value: number): [string, GgufValue] => [
    `${architecture}.${key}`,
    { type, value },
  ]
  const metadata = new Map<string, GgufValue>([
    ["general.architecture", { type: "string", value: architecture }],
    ["general.type", { type: "string", value: "model" }],
    ["general.name", { type: "string", value: name }],
    ["general.file_type", { type: "u32", value: 0 }],
    own("block_count", "u32", config.layers),
    own("context_length", "u32", config.contextLength),
    own("embedding_length", "u32", config.hiddenSize),
    own("feed_forward_length", "u32", config.intermediateSize),
    own("attention.head_count", "u32", config.heads),
    own("attention.head_count_kv", "u32", config.kvHeads),
    own("attention.key_length", "u32", config.headDim),
    own("attention.value_length", "u32", config.headDim),
    own("attention.layer_norm_rms_epsilon", "f32", config.normEpsilon),
    own("rope.freq_base", "f32", theta),
    own("rope.dimension_count", "u32", config.headDim),
    own("vocab_size", "u32", config.vocabSize),
    ...ggufTokenizer(tokenizer, config.vocabSize),
  ])
  const tensors = new Map<string, GgufTensor>()
  for (const [weight, { shape }] of base.layout) {
    const data = turnedWeight(weight, await read(weight), config.modelType, config, false)
    tensors.set(ggufName(weight), ggufTensor(f32(shape, data)))
  }
  return writeGguf({ metadata, tensors })
}

/**
 * config.json of a GGUF file.
 * @param names of its tensors
 * @throws {EspalierError} `unsupported` for other architectures and for rotations that are scaled
 */
export function configFromGguf(metadata: GgufMetadata, names: ReadonlySet<string>, file: string) {
  const modelType = whole.find((each) => each === metadata.get("general.architecture")?.value)
  if (!modelType)
    throw new EspalierError(
      "unsupported",
      `${file}: bases of ${String(metadata.get("general.architecture")?.value)} can't be read`,
      { hint: `Those that can: ${whole.join(", ")}. The model's own folder is on the hub` },
    )
  const scaling = metadata.get(`${modelType}.rope.scaling.type`)?.value ?? "none"
  if (scaling !== "none" || names.has("rope_freqs.weight"))
    throw new EspalierError("unsupported", `${file}: bases whose rotation is scaled can't be read from GGUF`, {
      hint: "The model's own folder is on the hub",
    })
  const find = (key: string): number | null => {
    const value = metadata.get(`${modelType}.${key}`)
    // What was written as f32 is shown with the digits that it has.
    if (value?.type === "f32") return Number(value.value.toPrecision(7))
    return value?.type === "u32" || value?.type === "i32" ? value.value : null
  }
  const number = (key: string): number => {
    const found = find(key)
    if (found !== null) return found
    throw new EspalierError("invalid_file", `${file}: expected ${modelType}.${key} to be a number`)
  }
  const tokens = metadata.get("tokenizer.ggml.tokens")
  const heads = number("attention.head_count")
  const hidden = number("embedding_length")
  const id = (key: string): number | null => {
    const value = metadata.get(`tokenizer.ggml.${key}`)
    return value?.type === "u32" ? value.value : null
  }
  return {
    architectures: [classes[modelType]],
    model_type: modelType,
    vocab_size: tokens?.type === "array" ? tokens.value.length : number("vocab_size"),
    hidden_size: hidden,
    num_hidden_layers: number("block_count"),
    num_attention_heads: heads,
    num_key_value_heads: find("attention.head_count_kv") ?? heads,
    head_dim: find("attention.key_length") ?? hidden / heads,
    intermediate_size: number("feed_forward_length"),
    max_position_embeddings: number("context_length"),
    rms_norm_eps: number("attention.layer_norm_rms_epsilon"),
    rope_theta: find("rope.freq_base") ?? 10_000,
    tie_word_embeddings: !names.has("output.weight"),
    hidden_act: "silu",
    ...(modelType === "llama" && {
      attention_bias: names.has("blk.0.attn_q.bias"),
      mlp_bias: names.has("blk.0.ffn_gate.bias"),
    }),
    bos_token_id: id("bos_token_id"),
    eos_token_id: id("eos_token_id"),
    dtype: "float32",
    torch_dtype: "float32",
  }
}
