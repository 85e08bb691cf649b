/**
 * @module Counts tokens a word at a time, each word once: most of the time of adding documents goes into counting, and most
 * of a text's words come again.
 */

/** Words that are remembered, and characters of one of them, at most. */
const [MOST_WORDS, LONGEST_WORD] = [50_000, 64]

/** What tokenizers are tried by: whether words count alone what they count among others. */
const probe =
  'The mayor of Tal, Mira Voss (b. 1961), doesn\'t know.\n\nHer house - no. 7 - is "old":  two\twords... 12345 x_y=z! ' +
  "Über naïve Straßen; 東京 и ещё 😀.\n# Heading\n- one\n- two\n"

/** A word with the blanks before it. */
const words = (text: string): readonly string[] => text.match(/\s*\S+|\s+$/g) ?? []

/**
 * A faster count that gives the same, or the count itself where words can't be counted apart.
 * @param count tokens of a text
 */
export function countByWords(count: (text: string) => number): (text: string) => number {
  if (words(probe).reduce((sum, word) => sum + count(word), 0) !== count(probe)) return count
  const known = new Map<string, number>()
  const countWord = (word: string): number => {
    const found = known.get(word)
    if (found !== undefined) return found
    const tokens = count(word)
    if (word.length > LONGEST_WORD) return tokens
    if (known.size >= MOST_WORDS) known.clear()
    known.set(word, tokens)
    return tokens
  }
  return (text) => words(text).reduce((sum, word) => sum + countWord(word), 0)
}
