/**
 * @module A tokenizer for tests: token ids are UTF-8 bytes, and a few special tokens stand above them.
 */
import type { Tokenizer } from "../../src/text/tokenizer-contract.ts"

/** Ends a completion. */
export const fakeEos = 256
/** Stands before a message. */
export const fakeMark = 257
/** Bytes and special tokens. */
export const fakeVocab = 258

const specials: Readonly<Record<number, string>> = { [fakeEos]: "</s>", [fakeMark]: "<m>" }

/** A byte a token. */
export const fakeTokenizer: Tokenizer = createFakeTokenizer("")

/** @param lead what its template writes between the generation prompt and an assistant's words */
export function createFakeTokenizer(lead: string): Tokenizer {
  return {
    vocabSize: fakeVocab,
    bosId: null,
    eosId: fakeEos,
    padId: null,
    encode(text, { parseSpecial = true, guard = "" } = {}) {
      const pieces = parseSpecial ? text.split(/(<\/s>|<m>)/) : [text]
      return pieces.flatMap((piece, i) =>
        i % 2 === 1 ? [idOf(piece)] : [...new TextEncoder().encode(plain(piece, guard))],
      )
    },
    decode(ids, { skipSpecial = true } = {}) {
      const bytes = ids.flatMap((id) => (specials[id] !== undefined && skipSpecial ? [] : [...bytesOf(id)]))
      return new TextDecoder().decode(Uint8Array.from(bytes))
    },
    tokenText: (id) => new TextDecoder().decode(bytesOf(id)),
    tokenBytes: bytesOf,
    isSpecial: (id) => specials[id] !== undefined,
    hasChatTemplate: true,
    renderChat: (messages, { addGenerationPrompt = false } = {}) =>
      messages.map(({ role, content }) => `<m>${role}:${role === "assistant" ? lead : ""}${content}\n`).join("") +
      (addGenerationPrompt ? "<m>assistant:" : ""),
  }
}

const plain = (text: string, guard: string): string => (guard === "" ? text : text.replaceAll(guard, ""))

const idOf = (special: string): number => (special === "<m>" ? fakeMark : fakeEos)

function bytesOf(id: number): Uint8Array {
  const special = specials[id]
  return special === undefined ? Uint8Array.of(id) : new TextEncoder().encode(special)
}
