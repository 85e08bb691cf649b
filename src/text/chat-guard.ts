/**
 * @module Keeps what people write apart from what steers the model: a control token written in a message must stay text.
 *
 * Every control token's text inside a message, a tool or a role gets a guard character after its first character before
 * the template is rendered. The template may trim, test, quote or drop contents as it likes; the tokenizer then finds the
 * template's own control tokens only, and deletes the guard afterwards.
 *
 * Turns that a template marks in plain words (`### Response:`) can't be told from words in a message. A control token of
 * one character couldn't be guarded either; no base has one.
 */
import { tokenPattern } from "./special-split.ts"
import type { Tokenizer } from "./tokenizer-contract.ts"

const patterns = new WeakMap<Tokenizer, RegExp | null>()

/** A pattern of the tokenizer's control tokens; null if it has none. */
export function controlPattern(tokenizer: Tokenizer): RegExp | null {
  const known = patterns.get(tokenizer)
  if (known !== undefined) return known
  const texts: string[] = []
  for (let id = 0; id < tokenizer.vocabSize; id++) if (tokenizer.isSpecial(id)) texts.push(tokenizer.tokenText(id))
  const pattern = tokenPattern(texts.filter((text) => text !== ""))
  patterns.set(tokenizer, pattern)
  return pattern
}

/** Some characters that stand nowhere in a value: noncharacters, which no text should have. */
export function unusedCharacters(value: unknown, count: number): string[] {
  const used = JSON.stringify(value) ?? ""
  const free: string[] = []
  // U+FDD0..U+FDEF are noncharacters; private use follows for those who write even these.
  for (let code = 0xfdd0; free.length < count; code = code === 0xfdef ? 0xe000 : code + 1) {
    const character = String.fromCharCode(code)
    if (!used.includes(character)) free.push(character)
  }
  return free
}

/** A JSON value with the guard in every control token's text, in keys too. */
export function guarded<T>(value: T, control: RegExp | null, guard: string): T {
  if (control === null) return value
  // One character is taken at a time, so that tokens that overlap are all broken.
  const starts = new RegExp(`(?=${control.source})[\\s\\S]`, "gu")
  const visit = (part: unknown): unknown => {
    if (typeof part === "string") return part.replace(starts, (first) => first + guard)
    if (Array.isArray(part)) return part.map(visit)
    if (typeof part !== "object" || part === null) return part
    return Object.fromEntries(Object.entries(part).map(([key, inner]) => [visit(key), visit(inner)]))
  }
  return visit(value) as T
}
