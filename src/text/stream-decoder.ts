/**
 * @module Tokens to text as they come: never half a character, never a sign that a later token would change.
 */
import type { Tokenizer } from "./tokenizer-contract.ts"

/** Decodes a stream of token ids. */
export interface StreamDecoder {
  /** The text that is certain after this token, beyond what was given before. */
  push(id: number): string
  /** What is left at the end: an unfinished character shows as U+FFFD. */
  flush(): string
}

/** A decoder for one stream. Special tokens have no text. */
export function createStreamDecoder(tokenizer: Tokenizer): StreamDecoder {
  const utf8 = new TextDecoder("utf-8", { ignoreBOM: true })
  // Vocabularies without bytes of their own (SentencePiece) write a leading space that decoding drops.
  let started = false
  return {
    push(id) {
      if (tokenizer.isSpecial(id)) return ""
      let text = utf8.decode(tokenizer.tokenBytes(id), { stream: true })
      if (!started && text !== "") {
        started = true
        if (text.startsWith(" ") && !tokenizer.decode([id]).startsWith(" ")) text = text.slice(1)
      }
      return text
    },
    flush: () => utf8.decode(),
  }
}
