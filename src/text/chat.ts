/**
 * @module A conversation to token ids, with the span of every message's content. Contents are plain text: a special
 * token written in one never becomes a control token.
 *
 * The template is rendered twice, with the contents and with marks in their places. Where both agree, the template's own
 * special tokens cut the text into runs, and each run (template text and content together, so that a word keeps the
 * space before it) is encoded as plain text.
 */
import { EspalierError } from "../core/errors.ts"
import type { ChatMessage, Tokenizer } from "./tokenizer-contract.ts"

/**
 * Tokens [start, end) of a message's content; an end-of-turn token that follows at once belongs to it. An assistant's
 * begins where its generation prompt ends.
 */
export interface ChatSpan {
  /** Index of the message. */
  readonly message: number
  readonly role: string
  readonly start: number
  readonly end: number
}

/** Options of {@link encodeChat}. */
export interface EncodeChatOptions {
  /** End with the beginning of an assistant's turn. @default {false} */
  readonly addGenerationPrompt?: boolean
  readonly tools?: readonly unknown[]
}

/** Marks are built of private-use characters, which stand in no template. */
const OPEN = "\uE0F0"
const CLOSE = "\uE0F1"
const mark = (i: number): string => `${OPEN}${i}${CLOSE}`
const MARK = /\uE0F0(\d+)\uE0F1/g

/** A stretch of the rendered text. */
type Piece = { readonly text: string; readonly message: number | null }

/**
 * Encodes a conversation by the base's chat template.
 * @throws {EspalierError} `unsupported` without a template, `invalid_request` where it refuses the messages.
 */
export function encodeChat(
  tokenizer: Tokenizer,
  messages: readonly ChatMessage[],
  options: EncodeChatOptions = {},
): { ids: number[]; spans: ChatSpan[] } {
  const rendered = tokenizer.renderChat(messages, options)
  const marked = tokenizer.renderChat(
    messages.map((message, i) => ({ ...message, content: mark(i) })),
    options,
  )
  const pieces = substitute(marked, messages, rendered)
  if (!pieces) return encodeWhole(tokenizer, rendered, messages)
  return encodePieces(tokenizer, withOpenings(tokenizer, pieces, messages), messages)
}

/**
 * Moves what the template writes between its generation prompt and an assistant's content (a space, say) into the
 * content: in an answer it is the model that writes it.
 */
function withOpenings(tokenizer: Tokenizer, pieces: readonly Piece[], messages: readonly ChatMessage[]): Piece[] {
  if (!messages.some(({ role }) => role === "assistant")) return [...pieces]
  const without = tokenizer.renderChat(messages)
  const prompted = tokenizer.renderChat(messages, { addGenerationPrompt: true })
  const generation = prompted.startsWith(without) ? prompted.slice(without.length) : ""
  if (generation === "") return [...pieces]
  const out = [...pieces]
  for (let i = 1; i < out.length; i++) {
    const { message, text } = out[i]!
    if (message === null || messages[message]!.role !== "assistant") continue
    const before = out[i - 1]!.text
    const at = before.lastIndexOf(generation)
    const opening = at < 0 ? "" : before.slice(at + generation.length)
    if (opening === "" || tokenizer.encode(opening).some((id) => tokenizer.isSpecial(id))) continue
    out[i - 1] = { text: before.slice(0, before.length - opening.length), message: null }
    out[i] = { text: opening + text, message }
  }
  return out
}

/** The marked text with contents (as they are, or trimmed, as some templates trim) put back; null if that isn't the rendered text. */
function substitute(marked: string, messages: readonly ChatMessage[], rendered: string): Piece[] | null {
  for (const adapt of [(content: string) => content, (content: string) => content.trim()]) {
    const pieces: Piece[] = []
    let from = 0
    for (const found of marked.matchAll(MARK)) {
      const message = Number(found[1])
      pieces.push(
        { text: marked.slice(from, found.index), message: null },
        { text: adapt(messages[message]!.content), message },
      )
      from = found.index + found[0].length
    }
    pieces.push({ text: marked.slice(from), message: null })
    if (pieces.map(({ text }) => text).join("") === rendered) return pieces
  }
  return null
}

/** Encodes a template that changes contents: its special tokens can't be told from written ones, so none may be written. */
function encodeWhole(
  tokenizer: Tokenizer,
  rendered: string,
  messages: readonly ChatMessage[],
): { ids: number[]; spans: ChatSpan[] } {
  for (const [i, { content }] of messages.entries()) {
    if (tokenizer.encode(content).some((id) => tokenizer.isSpecial(id))) {
      throw new EspalierError(
        "invalid_request",
        `Message ${i} contains a special token of the base, which its chat template can't quote`,
        { param: `messages[${i}]` },
      )
    }
  }
  return { ids: tokenizer.encode(rendered), spans: [] }
}

function encodePieces(
  tokenizer: Tokenizer,
  pieces: readonly Piece[],
  messages: readonly ChatMessage[],
): { ids: number[]; spans: ChatSpan[] } {
  const ids: number[] = []
  const spans: ChatSpan[] = []
  let run: Piece[] = []
  /** Spans that end where the last run ended: an end-of-turn token may still join them. */
  let ending: { message: number; role: string; start: number; end: number }[] = []
  const flush = (): void => {
    const text = run.map((piece) => piece.text).join("")
    ending = []
    if (text !== "") {
      const base = ids.length
      const whole = tokenizer.encode(text, { parseSpecial: false })
      let before = ""
      for (const piece of run) {
        const start = boundary(tokenizer, before, whole)
        before += piece.text
        if (piece.message === null) continue
        const end = before === text ? whole.length : boundary(tokenizer, before, whole)
        const span = {
          message: piece.message,
          role: messages[piece.message]!.role,
          start: base + start,
          end: base + end,
        }
        spans.push(span)
        if (before === text) ending.push(span)
      }
      ids.push(...whole)
    } else {
      // A message without content: an empty span, so that its end-of-turn token is still found.
      for (const { message } of run) {
        if (message === null) continue
        const span = { message, role: messages[message]!.role, start: ids.length, end: ids.length }
        spans.push(span)
        ending.push(span)
      }
    }
    run = []
  }
  for (const piece of pieces) {
    if (piece.message !== null) {
      run.push(piece)
      continue
    }
    for (const part of splitSpecial(tokenizer, piece.text)) {
      if (typeof part === "string") {
        if (part !== "") run.push({ text: part, message: null })
        continue
      }
      flush()
      ids.push(part.id)
      for (const span of ending) span.end = ids.length
      ending = []
    }
  }
  flush()
  return { ids, spans }
}

/** Where `before` ends among the tokens of a text that begins with it: the first token that differs. */
function boundary(tokenizer: Tokenizer, before: string, whole: readonly number[]): number {
  if (before === "") return 0
  const own = tokenizer.encode(before, { parseSpecial: false })
  let same = 0
  while (same < own.length && own[same] === whole[same]) same++
  return same
}

/** A template's text cut at its special tokens. */
function splitSpecial(tokenizer: Tokenizer, text: string): (string | { readonly id: number })[] {
  const parts: (string | { id: number })[] = []
  let rest = text
  for (const id of tokenizer.encode(text)) {
    if (!tokenizer.isSpecial(id)) continue
    const special = tokenizer.tokenText(id)
    const at = rest.indexOf(special)
    if (at < 0) continue
    parts.push(rest.slice(0, at), { id })
    rest = rest.slice(at + special.length)
  }
  parts.push(rest)
  return parts
}
