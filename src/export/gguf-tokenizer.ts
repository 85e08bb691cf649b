/**
 * @module Byte-level BPE between tokenizer.json and the metadata of GGUF files. How a text is cut before pairs are merged
 * has a name there and regular expressions here; only those that are known to be the same go from one to the other.
 * Source: https://github.com/ggml-org/llama.cpp `src/llama-vocab.cpp`, `convert_hf_to_gguf_update.py`
 */
import { EspalierError } from "../core/errors.ts"
import type { GgufMetadata, GgufValue } from "../formats/gguf/content.ts"

/** The files of a base that say how text becomes tokens; the tokenizer's is read by the libraries of Hugging Face. */
export interface TokenizerFiles {
  readonly tokenizer: Readonly<Record<string, unknown>>
  readonly config: Readonly<Record<string, unknown>>
}

const byteLevel = (regex: boolean) => ({
  type: "ByteLevel",
  add_prefix_space: false,
  trim_offsets: true,
  use_regex: regex,
})
const split = (digits: string) => ({
  type: "Split",
  pattern: {
    Regex: `(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|${digits}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+`,
  },
  behavior: "Isolated",
  invert: false,
})
const sequence = (...pretokenizers: readonly object[]) => ({ type: "Sequence", pretokenizers })

/** Ways to cut a text, by llama.cpp's names. */
const cuts: Readonly<Record<string, { readonly pre: object; readonly normalizer: object | null }>> = {
  "gpt-2": { pre: byteLevel(true), normalizer: null },
  smollm: { pre: sequence({ type: "Digits", individual_digits: true }, byteLevel(true)), normalizer: null },
  "llama-bpe": { pre: sequence(split("\\p{N}{1,3}"), byteLevel(false)), normalizer: null },
  qwen2: { pre: sequence(split("\\p{N}"), byteLevel(false)), normalizer: { type: "NFC" } },
}

/** What decides how a text is cut, without what only decides offsets. */
const essence = (pre: unknown): string =>
  JSON.stringify(pre, (key, value: unknown) => (key === "trim_offsets" || value === false ? undefined : value))

/** llama.cpp's kinds of tokens. */
const kinds = { normal: 1, control: 3, user: 4, unused: 5 } as const

interface AddedToken {
  readonly id: number
  readonly content: string
  readonly special: boolean
}

/** A tokenizer as metadata. @throws {EspalierError} `unsupported` for one that llama.cpp has no name for */
export function ggufTokenizer({ tokenizer, config }: TokenizerFiles, size: number): [string, GgufValue][] {
  const model = tokenizer["model"] as { type?: string; vocab: Record<string, number>; merges: unknown[] }
  const cut = Object.keys(cuts).find((name) => essence(cuts[name]!.pre) === essence(tokenizer["pre_tokenizer"]))
  if (model?.type !== "BPE" || cut === undefined)
    throw new EspalierError(
      "unsupported",
      "This base's tokenizer has no name in GGUF files that is known to be the same",
      {
        hint: `Known are byte-level BPE that cut text as ${Object.keys(cuts).join(", ")} do`,
        param: "to",
      },
    )
  const tokens = Array.from({ length: size }, (_, id) => `[PAD${id}]`)
  const types = new Array<number>(size).fill(kinds.unused)
  for (const [token, id] of Object.entries(model.vocab)) {
    tokens[id] = token
    types[id] = kinds.normal
  }
  const added = (tokenizer["added_tokens"] ?? []) as readonly AddedToken[]
  for (const { id, content, special } of added) {
    tokens[id] = content
    types[id] = special ? kinds.control : kinds.user
  }
  const idOf = (name: string): number | undefined => {
    const value = config[name] as string | { readonly content?: string } | null | undefined
    const text = typeof value === "string" ? value : value?.content
    return added.find(({ content }) => content === text)?.id
  }
  const u32 = (key: string, id: number | undefined): [string, GgufValue][] =>
    id === undefined ? [] : [[`tokenizer.ggml.${key}`, { type: "u32", value: id }]]
  const bos = idOf("bos_token")
  const begins =
    bos !== undefined && JSON.stringify(tokenizer["post_processor"] ?? null).includes(JSON.stringify(tokens[bos]!))
  const template = config["chat_template"]
  return [
    ["tokenizer.ggml.model", { type: "string", value: "gpt2" }],
    ["tokenizer.ggml.pre", { type: "string", value: cut }],
    ["tokenizer.ggml.tokens", { type: "array", of: "string", value: tokens }],
    ["tokenizer.ggml.token_type", { type: "array", of: "i32", value: types }],
    [
      "tokenizer.ggml.merges",
      {
        type: "array",
        of: "string",
        value: model.merges.map((pair) => (Array.isArray(pair) ? pair.join(" ") : String(pair))),
      },
    ],
    ...u32("bos_token_id", bos),
    ...u32("eos_token_id", idOf("eos_token")),
    ...u32("padding_token_id", idOf("pad_token")),
    ["tokenizer.ggml.add_bos_token", { type: "bool", value: begins }],
    ...(typeof template === "string"
      ? ([["tokenizer.chat_template", { type: "string", value: template }]] as [string, GgufValue][])
      : []),
  ]
}

/** A tokenizer from metadata. @throws {EspalierError} `unsupported` or `invalid_file` */
export function tokenizerFromGguf(metadata: GgufMetadata, file: string): TokenizerFiles {
  const text = (key: string): string | null => {
    const value = metadata.get(key)
    return value?.type === "string" ? value.value : null
  }
  const list = <T>(key: string, of: string): readonly T[] => {
    const value = metadata.get(`tokenizer.ggml.${key}`)
    if (value?.type !== "array" || value.of !== of)
      throw new EspalierError("invalid_file", `${file}: expected tokenizer.ggml.${key} to be a list of ${of}`)
    return value.value as readonly T[]
  }
  const [model, pre] = [text("tokenizer.ggml.model"), text("tokenizer.ggml.pre") ?? "gpt-2"]
  const cut = Object.hasOwn(cuts, pre) ? cuts[pre] : undefined
  if (model !== "gpt2" || !cut)
    throw new EspalierError("unsupported", `${file}: its tokenizer (${model}, ${pre}) can't be read`, {
      hint: `Take the model's own folder from the hub; known are gpt2 with ${Object.keys(cuts).join(", ")}`,
    })
  const tokens = list<string>("tokens", "string")
  const types = metadata.has("tokenizer.ggml.token_type") ? list<number>("token_type", "i32") : []
  const isAdded = (id: number): boolean => types[id] === kinds.control || types[id] === kinds.user
  const vocab = Object.fromEntries(
    tokens.flatMap((token, id) => (isAdded(id) || types[id] === kinds.unused ? [] : [[token, id]])),
  )
  const idAt = (key: string): number | null => {
    const value = metadata.get(`tokenizer.ggml.${key}`)
    return value?.type === "u32" ? value.value : null
  }
  const name = (key: string): string | null => tokens[idAt(key) ?? -1] ?? null
  const [bos, eos, pad] = ["bos_token_id", "eos_token_id", "padding_token_id"].map(name)
  const begins = metadata.get("tokenizer.ggml.add_bos_token")?.value ?? pre === "llama-bpe"
  const template = text("tokenizer.chat_template")
  return {
    tokenizer: {
      version: "1.0",
      truncation: null,
      padding: null,
      added_tokens: tokens.flatMap((content, id) =>
        isAdded(id)
          ? [
              {
                id,
                content,
                single_word: false,
                lstrip: false,
                rstrip: false,
                normalized: false,
                special: types[id] === kinds.control,
              },
            ]
          : [],
      ),
      normalizer: cut.normalizer,
      pre_tokenizer: cut.pre,
      post_processor:
        begins && bos
          ? {
              type: "TemplateProcessing",
              single: [{ SpecialToken: { id: bos, type_id: 0 } }, { Sequence: { id: "A", type_id: 0 } }],
              pair: [{ Sequence: { id: "A", type_id: 0 } }, { Sequence: { id: "B", type_id: 1 } }],
              special_tokens: { [bos]: { id: bos, ids: [idAt("bos_token_id")], tokens: [bos] } },
            }
          : null,
      decoder: byteLevel(true),
      model: {
        type: "BPE",
        dropout: null,
        unk_token: null,
        continuing_subword_prefix: null,
        end_of_word_suffix: null,
        fuse_unk: false,
        byte_fallback: false,
        ignore_merges: pre === "llama-bpe",
        vocab,
        merges: list<string>("merges", "string"),
      },
    },
    config: {
      tokenizer_class: "PreTrainedTokenizerFast",
      clean_up_tokenization_spaces: false,
      ...(bos && { bos_token: bos }),
      ...(eos && { eos_token: eos }),
      ...(pad && { pad_token: pad }),
      ...(template && { chat_template: template }),
    },
  }
}
