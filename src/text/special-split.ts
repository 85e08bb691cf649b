/**
 * @module Cuts text at the tokens that are looked for before anything else: special tokens and other added tokens.
 */

/** A stretch of text: an added token or what stands between two of them. Never empty. */
export interface Section {
  readonly text: string
  readonly isToken: boolean
}

/** A pattern of some tokens that takes the leftmost and, there, the longest; null if there are none. */
export function tokenPattern(tokens: readonly string[]): RegExp | null {
  if (tokens.length === 0) return null
  // An alternation takes the first that fits, so longer ones go first.
  const byLength = tokens.toSorted((a, b) => b.length - a.length)
  return new RegExp(byLength.map((token) => token.replace(/[$()*+.?[\\\]^{|}/-]/g, "\\$&")).join("|"), "gu")
}

/** Cuts `text` at every match of a pattern of {@link tokenPattern}. */
export function splitAtTokens(text: string, pattern: RegExp | null): Section[] {
  const sections: Section[] = []
  let end = 0
  for (const match of pattern === null ? [] : text.matchAll(pattern)) {
    if (match.index > end) sections.push({ text: text.slice(end, match.index), isToken: false })
    sections.push({ text: match[0], isToken: true })
    end = match.index + match[0].length
  }
  if (end < text.length) sections.push({ text: text.slice(end), isToken: false })
  return sections
}
