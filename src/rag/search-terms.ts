/**
 * @module The words of a question that are worth looking for.
 */

/** Words that stand in any text, and those that questions are made of. */
const stopWords = new Set(
  (
    "a about an and any are as at be been being but by can could did do does for from had has have he her hers him his how i if in " +
    "into is it its me my no not of on or our please say she so some tell than that the their them then there these they this " +
    "those to us was we were what when where which who whom whose why will with would you your"
  ).split(" "),
)

/** Words by which people ask, and which say nothing of what they ask for. */
const askingWords =
  "also answer get give help here just know let like look need now one question think tell want well".split(" ")
for (const word of askingWords) stopWords.add(word)

/** Words of a query at most: what is longer is no question. */
const MOST_TERMS = 64

/**
 * A query's words, in small letters and without their accents, each once. Where it has no other words, those that stand
 * everywhere are better than none.
 */
export function searchTerms(query: string): string[] {
  const words = [...new Set(wordsOf(query))]
  const telling = words.filter((word) => !stopWords.has(word) && word !== "s")
  return (telling.length > 0 ? telling : words).slice(0, MOST_TERMS)
}

/** A text's words in their order, in small letters and without their accents, as FTS5's `unicode61` has them. */
export const wordsOf = (text: string): string[] => folded(text).match(/[\p{L}\p{N}]+/gu) ?? []

/** Which of a query's words are names: they begin with a capital where no sentence begins, or hold a digit. */
export function nameTerms(query: string): Set<string> {
  const names = query.match(/(?<=[^\s.?!:;"“(]\s+["“(]*)\p{Lu}[\p{L}\p{M}\p{N}'’-]*|\p{L}*\p{N}[\p{L}\p{N}]*/gu) ?? []
  return new Set(names.flatMap((name) => searchTerms(name)))
}

/** Small letters, no accents, no possessive: "Zoë's" is "zoe". */
const folded = (text: string): string =>
  text
    .normalize("NFKD")
    .replace(/\p{M}/gu, "")
    .replace(/['’]s\b/gu, "")
    .toLowerCase()
