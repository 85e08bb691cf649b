/**
 * @module A conversation to token ids, with the span of every message. Contents are plain text: a control token written
 * in one never steers the model. Text is encoded as a whole, so that the ids are those of the Hugging Face libraries.
 */
import { controlPattern, guarded, unusedCharacters } from "./chat-guard.ts"
import { findSpans, type Render } from "./chat-spans.ts"
import type { ChatMessage, Tokenizer } from "./tokenizer-contract.ts"

/**
 * Tokens [start, end) of a message. An assistant's are what a model would have to write: from the end of the generation
 * prompt to the token that ends the turn. Another's are its content, with a control token that follows at once.
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

/** A conversation as tokens. */
export interface EncodedChat {
  readonly ids: number[]
  /** In the order of the messages; none at all where the template does more with contents than trim them. */
  readonly spans: ChatSpan[]
  /** Whether every assistant message has its span. */
  readonly exact: boolean
}

/**
 * Encodes a conversation by the base's chat template.
 * @throws {EspalierError} `unsupported` without a template, `invalid_request` where it refuses the messages.
 */
export function encodeChat(
  tokenizer: Tokenizer,
  messages: readonly ChatMessage[],
  options: EncodeChatOptions = {},
): EncodedChat {
  const { addGenerationPrompt = false, tools } = options
  const control = controlPattern(tokenizer)
  const [guard, open, close] = unusedCharacters([messages, tools], 3) as [string, string, string]
  const safe = guarded(messages, control, guard)
  const safeTools = tools && guarded(tools, control, guard)
  const render: Render = (some, prompt) =>
    tokenizer.renderChat(some, { addGenerationPrompt: prompt, ...(safeTools && { tools: safeTools }) })

  const text = render(safe, addGenerationPrompt)
  const encode = (part: string): number[] => tokenizer.encode(part, { guard })
  const ids = encode(text)
  let spans: ChatSpan[] | null = null
  const locate = (): ChatSpan[] => {
    const at = tokenPositions(text, ids, encode)
    return findSpans(text, safe, addGenerationPrompt, render, control, [open, close]).map((span) => {
      const [start, end] = [at(span.start, "floor"), at(span.end, "ceil")]
      return { message: span.message, role: messages[span.message]!.role, start, end }
    })
  }
  return {
    ids,
    // Spans take more renderings; who only wants ids doesn't pay for them.
    get spans() {
      spans ??= locate()
      return spans
    },
    get exact() {
      const found = new Set(this.spans.map(({ message }) => message))
      return messages.every(({ role }, i) => role !== "assistant" || found.has(i))
    },
  }
}

/**
 * What the template writes between the generation prompt and an answer: whitespace that a model learns to begin with, to
 * be taken off before the answer is shown. Empty for most templates, a space for sprig's.
 */
export function answerLead(tokenizer: Tokenizer): string {
  if (!tokenizer.hasChatTemplate) return ""
  const mark = "\uFDD0"
  const question = [{ role: "user", content: "Hi" }]
  try {
    const prompt = tokenizer.renderChat(question, { addGenerationPrompt: true })
    const whole = tokenizer.renderChat([...question, { role: "assistant", content: mark }])
    const lead = whole.startsWith(prompt) ? whole.slice(prompt.length).split(mark)[0]! : ""
    return lead.trim() === "" ? lead : ""
  } catch {
    return "" // a template that wants other conversations than this one
  }
}

/**
 * Maps places in a text to places among its tokens: where a token lies over the place, to before it or to after it.
 * Quick when asked from left to right.
 */
function tokenPositions(
  text: string,
  ids: readonly number[],
  encode: (text: string) => number[],
): (at: number, round: "floor" | "ceil") => number {
  let known = { at: 0, token: 0 }
  return (at, round) => {
    if (at >= text.length) return ids.length
    // From the last known place on, if tokens fall in with those of the whole there; from the beginning if not.
    for (const from of at < known.at || known.at === 0 ? [{ at: 0, token: 0 }] : [known, { at: 0, token: 0 }]) {
      const part = encode(text.slice(from.at, at))
      const agreed = agree(part, ids, from.token)
      if (agreed === part.length) {
        known = { at, token: from.token + agreed }
        return known.token
      }
      if (from.at === 0) return agreed + (round === "ceil" ? 1 : 0)
    }
    return ids.length
  }
}

/** How many ids of `part` agree with those of `ids` from `offset` on. */
function agree(part: readonly number[], ids: readonly number[], offset: number): number {
  let count = 0
  while (count < part.length && part[count] === ids[offset + count]) count++
  return count
}
