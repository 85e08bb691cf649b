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

/**
 * @param lead what its template writes between the generation prompt and an assistant's words
 * @param withTools whether its template knows tools, as Qwen2.5's does
 */
export function createFakeTokenizer(lead: string, withTools = false): Tokenizer {
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
    renderChat: (messages, { addGenerationPrompt = false, tools } = {}) =>
      (withTools && tools?.length ? `<m>system:${JSON.stringify(tools)}\n` : "") +
      messages
        .map(({ role, content, ...rest }) => {
          const calls = withTools ? callsOf(rest) : ""
          return `<m>${role}:${role === "assistant" ? lead : ""}${content}${calls}${calls === "" ? "\n" : "</s>\n"}`
        })
        .join("") +
      (addGenerationPrompt ? "<m>assistant:" : ""),
  }
}

interface Call {
  readonly function: { readonly name: string; readonly arguments: unknown }
}

/** An assistant's calls as Qwen2.5 writes them. */
const callsOf = ({ tool_calls: calls }: { readonly tool_calls?: unknown }): string =>
  ((calls ?? []) as readonly Call[])
    .map(
      ({ function: { name, arguments: args } }) =>
        `\n<tool_call>\n{"name": "${name}", "arguments": ${JSON.stringify(args)}}\n</tool_call>`,
    )
    .join("")

const plain = (text: string, guard: string): string => (guard === "" ? text : text.replaceAll(guard, ""))

const idOf = (special: string): number => (special === "<m>" ? fakeMark : fakeEos)

function bytesOf(id: number): Uint8Array {
  const special = specials[id]
  return special === undefined ? Uint8Array.of(id) : new TextEncoder().encode(special)
}
