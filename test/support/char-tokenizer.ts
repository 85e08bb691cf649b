/**
 * @module A tokenizer for tests whose ids can be read: one token a character, special tokens below them, and a chat
 * template of `<|role|>content<|end|>`.
 */
import { EspalierError } from "../../src/core/errors.ts"
import type { Tokenizer } from "../../src/text/tokenizer-contract.ts"

const specials = ["<pad>", "<s>", "</s>", "<|system|>", "<|user|>", "<|assistant|>", "<|end|>"]
const FIRST = specials.length
const pattern = /<pad>|<s>|<\/s>|<\|\w+\|>/g

/** Options of {@link charTokenizer}. */
export interface CharTokenizerOptions {
  /** @default {true} */
  readonly hasChatTemplate?: boolean
  /** Whether encoding with `addSpecial` puts `<s>` first. @default {false} */
  readonly hasBos?: boolean
}

export function charTokenizer({ hasChatTemplate = true, hasBos = false }: CharTokenizerOptions = {}): Tokenizer {
  const chars = (text: string): number[] => Array.from(text, (c) => FIRST + c.codePointAt(0)!)
  const tokenText = (id: number): string => specials[id] ?? String.fromCodePoint(id - FIRST)
  return {
    vocabSize: FIRST + 0x110000,
    bosId: hasBos ? 1 : null,
    eosId: 2,
    padId: 0,
    hasChatTemplate,
    encode(text, { addSpecial = false, parseSpecial = true } = {}) {
      const ids: number[] = addSpecial && hasBos ? [1] : []
      let from = 0
      for (const found of parseSpecial ? text.matchAll(pattern) : []) {
        if (!specials.includes(found[0])) continue
        ids.push(...chars(text.slice(from, found.index)), specials.indexOf(found[0]))
        from = found.index + found[0].length
      }
      return [...ids, ...chars(text.slice(from))]
    },
    decode: (ids, { skipSpecial = true } = {}) =>
      ids
        .filter((id) => !skipSpecial || id >= FIRST)
        .map(tokenText)
        .join(""),
    tokenText,
    tokenBytes: (id) => new TextEncoder().encode(tokenText(id)),
    isSpecial: (id) => id < FIRST,
    renderChat(messages, { addGenerationPrompt = false, tools } = {}) {
      if (!hasChatTemplate) throw new EspalierError("unsupported", "No chat template")
      const turns = messages.map(({ role, content }) => {
        if (!specials.includes(`<|${role}|>`))
          throw new EspalierError("invalid_request", `No role ${role} in this template`)
        return `<|${role}|>${content}<|end|>`
      })
      const offered = tools ? `<|system|>tools: ${tools.length}<|end|>` : ""
      return `${offered}${turns.join("")}${addGenerationPrompt ? "<|assistant|>" : ""}`
    },
  }
}
