/**
 * @module A base's tokenizer, over Hugging Face's libraries for tokenizer.json and chat templates.
 */
import { Template } from "@huggingface/jinja"
import { Tokenizer as HfTokenizer } from "@huggingface/tokenizers"
import { EspalierError, messageOf } from "../core/errors.ts"
import { characterBytes } from "./byte-level.ts"
import type { ChatMessage, Tokenizer } from "./tokenizer-contract.ts"

/** The files of a base that make its tokenizer, parsed. */
export interface TokenizerFiles {
  readonly tokenizerJson: unknown
  readonly tokenizerConfig?: unknown
  /** The text of chat_template.jinja, which newer bases keep apart. */
  readonly chatTemplate?: string
}

/** A template longer than this is refused: real ones stay far below. */
const MAX_TEMPLATE_LENGTH = 128 * 1024
/** More messages than this are refused before a template loops over them. */
const MAX_MESSAGES = 2048

type Json = Readonly<Record<string, unknown>>
const isObject = (json: unknown): json is Json => typeof json === "object" && json !== null && !Array.isArray(json)

/**
 * Loads a tokenizer.
 * @throws {EspalierError} `invalid_file` naming the file that is garbled.
 */
export function loadTokenizer({ tokenizerJson, tokenizerConfig = {}, chatTemplate }: TokenizerFiles): Tokenizer {
  if (!isObject(tokenizerJson) || !isObject(tokenizerJson["model"])) {
    throw new EspalierError("invalid_file", "tokenizer.json: expected an object with a model")
  }
  if (!isObject(tokenizerConfig)) throw new EspalierError("invalid_file", "tokenizer_config.json: expected an object")
  let hf: HfTokenizer
  try {
    hf = new HfTokenizer(tokenizerJson, tokenizerConfig)
  } catch (cause) {
    throw new EspalierError("invalid_file", `tokenizer.json can't be read: ${messageOf(cause)}`, { cause })
  }
  const added = new Map(
    [...hf.get_added_tokens_decoder()].map(([id, token]) => [
      id,
      token as unknown as { content: string; special: boolean },
    ]),
  )
  const specialTexts = [...added.values()].map(({ content }) => content).filter((content) => content.length > 0)
  const specialPattern = alternatives(specialTexts)
  const idOf = (token: unknown): number | null => {
    const text = isObject(token) ? token["content"] : token
    return typeof text === "string" ? (hf.token_to_id(text) ?? null) : null
  }
  const bosId = idOf(tokenizerConfig["bos_token"])
  const eosId = idOf(tokenizerConfig["eos_token"])
  const bytes = characterBytes()
  const byteLevel = usesByteLevel(tokenizerJson)
  const template = compile(chatTemplate ?? namedTemplate(tokenizerConfig["chat_template"]))
  const tokenText = (id: number): string => hf.id_to_token(id) ?? ""

  const encodePlain = (text: string, addSpecial: boolean): number[] => {
    // Special tokens written in the text are cut after their first character, so that no piece spells one.
    const pieces: string[] = []
    let from = 0
    if (specialPattern) {
      for (const found of text.matchAll(specialPattern)) {
        const cut = found.index + [...found[0]][0]!.length
        pieces.push(text.slice(from, cut))
        from = cut
      }
    }
    pieces.push(text.slice(from))
    return pieces.flatMap((piece, i) => hf.encode(piece, { add_special_tokens: addSpecial && i === 0 }).ids)
  }

  return {
    vocabSize: Math.max(hf.get_vocab().size, ...[...added.keys()].map((id) => id + 1)),
    bosId,
    eosId,
    padId: idOf(tokenizerConfig["pad_token"]),
    encode(text, { addSpecial = false, parseSpecial = true } = {}) {
      return parseSpecial ? hf.encode(text, { add_special_tokens: addSpecial }).ids : encodePlain(text, addSpecial)
    },
    decode(ids, { skipSpecial = true } = {}) {
      if (ids.length === 0) return ""
      return hf.decode([...ids], { skip_special_tokens: skipSpecial, clean_up_tokenization_spaces: false })
    },
    tokenText,
    tokenBytes(id) {
      const text = tokenText(id)
      if (added.has(id)) return new TextEncoder().encode(text)
      if (byteLevel) return Uint8Array.from([...text].map((character) => bytes.get(character) ?? 63))
      const fallback = /^<0x([0-9A-Fa-f]{2})>$/.exec(text)
      return fallback
        ? Uint8Array.of(Number.parseInt(fallback[1]!, 16))
        : new TextEncoder().encode(text.replaceAll("▁", " "))
    },
    isSpecial: (id) => added.get(id)?.special ?? false,
    hasChatTemplate: template !== null,
    renderChat(messages, { addGenerationPrompt = false, tools } = {}) {
      if (!template)
        throw new EspalierError("unsupported", "This base has no chat template", {
          hint: "Use completions, or a chat model as the base",
        })
      if (messages.length > MAX_MESSAGES) {
        throw new EspalierError(
          "invalid_request",
          `Expected at most ${MAX_MESSAGES} messages but found ${messages.length}`,
          { param: "messages" },
        )
      }
      return render(template, {
        messages: messages as unknown as ChatMessage[],
        add_generation_prompt: addGenerationPrompt,
        bos_token: bosId === null ? "" : tokenText(bosId),
        eos_token: eosId === null ? "" : tokenText(eosId),
        ...(tools && { tools }),
      })
    },
  }
}

/** A pattern of any of the texts, longest first, or null for none. */
function alternatives(texts: readonly string[]): RegExp | null {
  if (texts.length === 0) return null
  const escaped = [...texts]
    .sort((a, b) => b.length - a.length)
    .map((text) => text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&"))
  return new RegExp(escaped.join("|"), "gu")
}

/** Whether tokens are written in GPT-2's table of bytes. */
function usesByteLevel(json: Json): boolean {
  const parts = (part: unknown): unknown[] => {
    if (!isObject(part)) return []
    const inner = part["decoders"] ?? part["pretokenizers"]
    return [part["type"], ...(Array.isArray(inner) ? inner.flatMap(parts) : [])]
  }
  return [...parts(json["decoder"]), ...parts(json["pre_tokenizer"])].includes("ByteLevel")
}

/** The template of tokenizer_config.json: a text, or a list of named ones. */
function namedTemplate(template: unknown): string | undefined {
  if (typeof template === "string") return template
  if (!Array.isArray(template)) return undefined
  const named = template.filter(isObject)
  const found = named.find(({ name }) => name === "default") ?? named[0]
  return typeof found?.["template"] === "string" ? found["template"] : undefined
}

function compile(source: string | undefined): Template | null {
  if (source === undefined) return null
  if (source.length > MAX_TEMPLATE_LENGTH) {
    throw new EspalierError(
      "invalid_file",
      `The chat template has ${source.length} characters, more than the ${MAX_TEMPLATE_LENGTH} allowed`,
    )
  }
  try {
    return new Template(source)
  } catch (cause) {
    throw new EspalierError("invalid_file", `The chat template can't be read: ${messageOf(cause)}`, { cause })
  }
}

function render(template: Template, context: Record<string, unknown>): string {
  try {
    return template.render(context)
  } catch (cause) {
    throw new EspalierError("invalid_request", `The base's chat template refused the messages: ${messageOf(cause)}`, {
      param: "messages",
      cause,
    })
  }
}
