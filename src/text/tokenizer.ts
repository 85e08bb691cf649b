/**
 * @module A base's tokenizer, over Hugging Face's libraries for tokenizer.json and chat templates.
 */

import { EspalierError } from "../core/errors.ts"
import { characterBytes } from "./byte-level.ts"
import { type ChatTemplate, compileChatTemplate } from "./chat-template.ts"
import { build, isObject, type Json, readPipeline, withoutControl, withoutGuard } from "./hf-pipeline.ts"
import type { Tokenizer } from "./tokenizer-contract.ts"

/** The files of a base that make its tokenizer, parsed. */
export interface TokenizerFiles {
  readonly tokenizerJson: unknown
  readonly tokenizerConfig?: unknown
  /** The text of chat_template.jinja, which newer bases keep apart; it goes before the one in tokenizer_config.json. */
  readonly chatTemplate?: string
}

/**
 * Loads a tokenizer.
 *
 * Special tokens are those marked so in the file and those written `<|like this|>`. Decoding never tidies spaces
 * (`clean_up_tokenization_spaces`), so that text comes back as it went in.
 * @throws {EspalierError} `invalid_file` naming the file that is garbled and what was expected.
 */
export function loadTokenizer({ tokenizerJson, tokenizerConfig = {}, chatTemplate }: TokenizerFiles): Tokenizer {
  if (!isObject(tokenizerConfig)) {
    throw new EspalierError("invalid_file", "tokenizer_config.json: expected an object")
  }
  const pipeline = readPipeline(tokenizerJson)
  const hf = build(pipeline, tokenizerConfig)
  const plain = withoutControl(pipeline, tokenizerConfig, hf)
  // Rendered chats come with one guard or another, nearly always the same.
  let guarded: { readonly guard: string; readonly tokenizer: typeof hf } | null = null
  const removing = (guard: string): typeof hf => {
    if (guarded?.guard !== guard) {
      guarded = { guard, tokenizer: withoutGuard(pipeline, tokenizerConfig, hf, guard) }
    }
    return guarded.tokenizer
  }

  const idOf = (token: unknown): number | null => {
    const text = isObject(token) ? token["content"] : token
    return typeof text === "string" ? (hf.token_to_id(text) ?? null) : null
  }
  const textOf = (id: number | null): string => (id === null ? "" : (hf.id_to_token(id) ?? ""))
  const bosId = idOf(tokenizerConfig["bos_token"])
  const eosId = idOf(tokenizerConfig["eos_token"])
  const padId = idOf(tokenizerConfig["pad_token"])
  const template = chatTemplate ?? namedTemplate(tokenizerConfig["chat_template"])
  const renderTemplate: ChatTemplate | null = template === undefined ? null : compileChatTemplate(template)

  const added = new Map(pipeline.added.map((token) => [token.id, token]))
  const isSpecial = (id: number): boolean => added.get(id)?.control ?? false
  const byteLevel = isObject(pipeline.json["decoder"]) && pipeline.json["decoder"]["type"] === "ByteLevel"
  const bytesOf = tokenBytes(
    (id) => hf.id_to_token(id) ?? "",
    new Map([...added].map(([id, { content }]) => [id, content])),
    byteLevel,
  )
  let vocabSize = 0
  for (const id of hf.get_vocab().values()) vocabSize = Math.max(vocabSize, id + 1)

  return {
    vocabSize,
    bosId,
    eosId,
    padId,
    byteLevel,
    encode(text, { addSpecial = false, parseSpecial = true, guard } = {}) {
      const tokenizer = !parseSpecial ? plain : guard === undefined ? hf : removing(guard)
      return tokenizer.encode(text, { add_special_tokens: addSpecial }).ids
    },
    decode(ids, { skipSpecial = true } = {}) {
      const shown = skipSpecial ? ids.filter((id) => !isSpecial(id)) : [...ids]
      if (byteLevel) return decodeBytes(shown.map(bytesOf))
      // The library refuses an empty list.
      return shown.length === 0 ? "" : hf.decode(shown, { clean_up_tokenization_spaces: false })
    },
    tokenText: textOf,
    tokenBytes: bytesOf,
    isSpecial,
    hasChatTemplate: renderTemplate !== null,
    renderChat(messages, { addGenerationPrompt = false, tools } = {}) {
      if (renderTemplate === null) {
        throw new EspalierError("unsupported", "This base has no chat template", {
          hint: "Use completions, or a chat model as the base",
        })
      }
      return renderTemplate({
        messages,
        tools: tools ?? null,
        documents: null,
        add_generation_prompt: addGenerationPrompt,
        bos_token: textOf(bosId),
        eos_token: textOf(eosId),
        pad_token: textOf(padId),
      })
    },
  }
}

/** The bytes of a token: by GPT-2's table, or SentencePiece's `▁` for a space and `<0x0A>` for a byte. */
function tokenBytes(
  textOf: (id: number) => string,
  added: ReadonlyMap<number, string>,
  byteLevel: boolean,
): (id: number) => Uint8Array {
  const utf8 = new TextEncoder()
  const bytes = characterBytes()
  return (id) => {
    const text = textOf(id)
    if (added.has(id)) return utf8.encode(text)
    // As in the Rust library, a token with characters outside the table stands for itself.
    if (byteLevel) {
      const known = Array.from(text, (character) => bytes.get(character))
      return known.includes(undefined) ? utf8.encode(text) : Uint8Array.from(known as number[])
    }
    const byte = /^<0x([0-9A-Fa-f]{2})>$/.exec(text)
    return byte ? Uint8Array.of(Number.parseInt(byte[1]!, 16)) : utf8.encode(text.replaceAll("▁", " "))
  }
}

function decodeBytes(parts: readonly Uint8Array[]): string {
  const bytes = new Uint8Array(parts.reduce((length, part) => length + part.length, 0))
  let at = 0
  for (const part of parts) {
    bytes.set(part, at)
    at += part.length
  }
  return new TextDecoder("utf-8", { ignoreBOM: true }).decode(bytes)
}

/** The template of tokenizer_config.json: a text, or a list of named ones. */
function namedTemplate(template: unknown): string | undefined {
  if (typeof template === "string") return template
  if (!Array.isArray(template)) return undefined
  const named = template.filter(isObject) as readonly Json[]
  const found = named.find(({ name }) => name === "default") ?? named[0]
  return typeof found?.["template"] === "string" ? found["template"] : undefined
}
