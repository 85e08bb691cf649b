/**
 * @module Builds Hugging Face's JavaScript tokenizer from a tokenizer.json, checked and set right where that library's
 * results would differ from those of the Rust library that made the file.
 *
 * - JavaScript's `\s` isn't Unicode's White_Space, and its `\d` knows ASCII digits only: `ByteLevel` and `Digits` are
 *   spelled as `Split` with the pattern that they mean.
 * - A special token is found in the text as it came, never in what a normalizer made of it: what is written in a guarded
 *   way (see {@link withoutGuard}) could else turn into a control token.
 */
import { Tokenizer as HfTokenizer } from "@huggingface/tokenizers"
import { EspalierError, messageOf } from "../core/errors.ts"
import { WORD_SOURCE } from "./byte-level.ts"

/** A parsed JSON object. */
export type Json = Readonly<Record<string, unknown>>

/** A token that is found in the text before anything else. */
export interface AddedToken {
  readonly id: number
  readonly content: string
  /** It steers the model and is no text: marked special in the file, or written `<|like this|>`. */
  readonly control: boolean
}

/** A tokenizer.json after checking. */
export interface Pipeline {
  readonly json: Json
  readonly added: readonly AddedToken[]
}

/** Whether a value is a JSON object. */
export const isObject = (json: unknown): json is Json =>
  typeof json === "object" && json !== null && !Array.isArray(json)

/** Ids above this are taken for garbage: the largest vocabularies have about 2^18 tokens. */
const MAX_ID = 2 ** 24
const CONTROL = /^<[|｜].*[|｜]>$/u
const kinds = ["BPE", "Unigram", "WordPiece"]

/**
 * Checks a tokenizer.json and sets it right.
 * @throws {EspalierError} `invalid_file` saying what was expected where.
 */
export function readPipeline(json: unknown): Pipeline {
  if (!isObject(json) || !isObject(json["model"])) throw wrong("expected an object with a model", "a tokenizer.json")
  const { model } = json
  const kind = model["type"] ?? (Array.isArray(model["merges"]) ? "BPE" : "WordPiece")
  if (!kinds.includes(String(kind))) throw wrong(`model.type: expected one of ${kinds.join(", ")}, found ${kind}`)
  checkVocab(model["vocab"])
  if (kind === "BPE") checkMerges(model["merges"])
  const listed = json["added_tokens"] ?? []
  if (!Array.isArray(listed)) throw wrong("added_tokens: expected a list")
  const added = listed.map((token: unknown, i): Json => {
    if (!isObject(token) || !isId(token["id"]) || typeof token["content"] !== "string" || token["content"] === "") {
      throw wrong(`added_tokens[${i}]: expected an id and a content`)
    }
    const control = token["special"] === true || CONTROL.test(token["content"])
    return control ? { ...token, special: true, normalized: false } : token
  })
  return {
    json: {
      normalizer: null,
      post_processor: null,
      decoder: null,
      ...json,
      model: { ...model, type: kind },
      pre_tokenizer: rewrite(json["pre_tokenizer"]) ?? null,
      added_tokens: added,
    },
    added: added.map((token) => ({
      id: token["id"] as number,
      content: token["content"] as string,
      control: token["special"] === true,
    })),
  }
}

/** The library's tokenizer. @throws {EspalierError} `invalid_file` */
export function build({ json }: Pipeline, config: Json): HfTokenizer {
  try {
    const tokenizer = new HfTokenizer(json, config)
    keepByteOrderMarks(tokenizer.decoder)
    return tokenizer
  } catch (cause) {
    throw new EspalierError("invalid_file", `tokenizer.json can't be read: ${messageOf(cause)}`, { cause })
  }
}

/** The library's `ByteFallback` stage decodes with a TextDecoder that swallows U+FEFF. */
function keepByteOrderMarks(stage: unknown): void {
  const { decoders, text_decoder } = (stage ?? {}) as { decoders?: unknown[]; text_decoder?: TextDecoder }
  for (const inner of decoders ?? []) keepByteOrderMarks(inner)
  if (text_decoder) Object.assign(stage as object, { text_decoder: new TextDecoder("utf-8", { ignoreBOM: true }) })
}

/** A tokenizer that takes control tokens for text like any other; it shares the vocabulary of `whole`. */
export function withoutControl({ json, added }: Pipeline, config: Json, whole: HfTokenizer): HfTokenizer {
  const control = new Set(added.filter((token) => token.control).map(({ id }) => id))
  const listed = (json["added_tokens"] as readonly Json[]).filter(({ id }) => !control.has(id as number))
  return sharing(whole, { ...json, added_tokens: listed }, config)
}

/**
 * A tokenizer that deletes the character `guard` from the text once it has found the added tokens: one put inside the
 * text of a control token makes the token plain text and leaves no other trace. It shares the vocabulary of `whole`.
 */
export function withoutGuard({ json }: Pipeline, config: Json, whole: HfTokenizer, guard: string): HfTokenizer {
  // Not in a normalizer: after those the library looks whether what is left is an added token.
  const remove = { type: "Replace", pattern: { String: guard }, content: "" }
  const pretokenizers = isObject(json["pre_tokenizer"]) ? [remove, json["pre_tokenizer"]] : [remove]
  return sharing(whole, { ...json, pre_tokenizer: { type: "Sequence", pretokenizers } }, config)
}

/** A tokenizer whose stages are those of `json` and whose model, the large part, is that of `whole`. */
function sharing(whole: HfTokenizer, json: Json, config: Json): HfTokenizer {
  const empty = { type: "BPE", vocab: {}, merges: [] }
  const tokenizer = build({ json: { ...json, model: empty }, added: [] }, config)
  tokenizer.model = whole.model
  return tokenizer
}

/** A pre-tokenizer in terms that mean the same in JavaScript. */
function rewrite(stage: unknown): unknown {
  if (!isObject(stage)) return stage
  if (stage["type"] === "Sequence" && Array.isArray(stage["pretokenizers"])) {
    return { ...stage, pretokenizers: stage["pretokenizers"].map(rewrite) }
  }
  if (stage["type"] === "Digits") return isolate(stage["individual_digits"] === true ? "\\p{N}" : "\\p{N}+")
  // A prefix space goes before the whole text, not before every word: that order only the library's own stage keeps.
  if (stage["type"] === "ByteLevel" && stage["use_regex"] !== false && stage["add_prefix_space"] === false) {
    return { type: "Sequence", pretokenizers: [isolate(WORD_SOURCE), { ...stage, use_regex: false }] }
  }
  return stage
}

const isolate = (Regex: string): Json => ({ type: "Split", pattern: { Regex }, behavior: "Isolated", invert: false })

function checkVocab(vocab: unknown): void {
  if (Array.isArray(vocab)) {
    const bad = vocab.findIndex((entry) => !Array.isArray(entry) || typeof entry[0] !== "string")
    if (bad >= 0) throw wrong(`model.vocab[${bad}]: expected a token and its score`)
    return
  }
  if (!isObject(vocab)) throw wrong("model.vocab: expected an object of tokens and their ids")
  for (const [token, id] of Object.entries(vocab)) {
    if (!isId(id)) throw wrong(`model.vocab: expected an id for ${JSON.stringify(token)}, found ${JSON.stringify(id)}`)
  }
}

function checkMerges(merges: unknown): void {
  if (!Array.isArray(merges)) throw wrong("model.merges: expected a list of pairs")
  const isPair = (merge: unknown): boolean =>
    typeof merge === "string"
      ? merge.includes(" ")
      : Array.isArray(merge) && merge.length === 2 && merge.every((side) => typeof side === "string")
  const bad = merges.findIndex((merge) => !isPair(merge))
  if (bad >= 0) throw wrong(`model.merges[${bad}]: expected a pair of tokens`)
}

const isId = (id: unknown): id is number => typeof id === "number" && Number.isInteger(id) && id >= 0 && id < MAX_ID

function wrong(what: string, wanted?: string): EspalierError {
  return new EspalierError("invalid_file", `tokenizer.json: ${what}`, {
    hint: wanted ? `Use ${wanted} as Hugging Face's libraries write it` : "Download or copy the file again",
  })
}
