/**
 * @module Tokens to text as they come: never half a character, never a sign that a later token would change.
 *
 * A byte-level vocabulary is bytes, which a streaming UTF-8 decoder joins. Any other tokenizer may write a token
 * differently after another one (a leading space, bytes that make one character), so a few tokens back are decoded again
 * with the new one and the difference is what is new.
 */
import type { Tokenizer } from "./tokenizer-contract.ts"

/** Decodes a stream of token ids. */
export interface StreamDecoder {
  /** The text that is certain after this token, beyond what was given before. */
  push(id: number): string
  /** What is left at the end: an unfinished character shows as U+FFFD. */
  flush(): string
}

/** Tokens before a stream that the text of its first one is read by. */
const BEFORE = 8

/**
 * A decoder for one stream. Special tokens have no text.
 * @param before ids of a text that the stream goes on with: its first word keeps the blank that parts it from them. Without any the
 *   stream is a text of its own, as `decode` gives it
 */
export function createStreamDecoder(tokenizer: Tokenizer, before: readonly number[] = []): StreamDecoder {
  return tokenizer.byteLevel ? byteDecoder(tokenizer) : differenceDecoder(tokenizer, before.slice(-BEFORE))
}

function byteDecoder(tokenizer: Tokenizer): StreamDecoder {
  const utf8 = new TextDecoder("utf-8", { ignoreBOM: true })
  return {
    push: (id) => (tokenizer.isSpecial(id) ? "" : utf8.decode(tokenizer.tokenBytes(id), { stream: true })),
    flush: () => utf8.decode(),
  }
}

/** Ids that are decoded again: those last given, as context, and those not given yet. */
function differenceDecoder(tokenizer: Tokenizer, before: readonly number[]): StreamDecoder {
  // The signs of half a character are none of those that the whole one has: what is new could not be told by their number.
  let context: number[] = tokenizer.decode(before).endsWith("\uFFFD") ? [] : [...before]
  let open: number[] = []
  const take = (all: boolean): string => {
    const before = tokenizer.decode(context).length
    const text = tokenizer.decode([...context, ...open])
    // A U+FFFD at the end may be the beginning of a character.
    if (text.length <= before || (!all && text.endsWith("\uFFFD"))) return ""
    context = open
    open = []
    return text.slice(before)
  }
  return {
    push(id) {
      if (tokenizer.isSpecial(id)) return ""
      open.push(id)
      return take(false)
    },
    flush: () => (open.length === 0 ? "" : take(true)),
  }
}
