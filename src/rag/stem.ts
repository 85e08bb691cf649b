/**
 * @module The stem of an English word, so that "rivers" is found by "river": Porter's algorithm as SQLite's FTS5 runs it,
 * whose `porter` tokenizer is the oracle of its test.
 *
 * Source: Porter 1980, "An algorithm for suffix stripping", Program 14(3), https://tartarus.org/martin/PorterStemmer/.
 */

/** Longer words are no words. */
const LONGEST = 64

const steps: Readonly<Record<"two" | "three" | "four", readonly (readonly [string, string])[]>> = {
  two: pairs(
    "ational ate,tional tion,enci ence,anci ance,izer ize,logi log,bli ble,alli al,entli ent,eli e,ousli ous," +
      "ization ize,ation ate,ator ate,alism al,iveness ive,fulness ful,ousness ous,aliti al,iviti ive,biliti ble",
  ),
  three: pairs("icate ic,ative ,alize al,iciti ic,ical ic,ful ,ness "),
  four: pairs("al ,ance ,ence ,er ,ic ,able ,ible ,ant ,ement ,ment ,ent ,ion ,ou ,ism ,ate ,iti ,ous ,ive ,ize "),
}

/** A word's stem. @param word in small letters, without accents */
export function stem(word: string): string {
  if (word.length < 3 || word.length > LONGEST) return word
  let text = plural(word)
  text = participle(text)
  if (text.endsWith("y") && hasVowel(text.slice(0, -1))) text = `${text.slice(0, -1)}i`
  text = replaced(text, steps.two, (rest) => measure(rest) > 0)
  text = replaced(text, steps.three, (rest) => measure(rest) > 0)
  text = replaced(text, steps.four, (rest, ending) => measure(rest) > 1 && (ending !== "ion" || /[st]$/.test(rest)))
  if (text.endsWith("e")) {
    const rest = text.slice(0, -1)
    const size = measure(rest)
    if (size > 1 || (size === 1 && !isShort(rest))) text = rest
  }
  return text.endsWith("ll") && measure(text.slice(0, -1)) > 1 ? text.slice(0, -1) : text
}

/** Step 1a. */
function plural(word: string): string {
  if (/.(sses|ies)$/s.test(word)) return word.slice(0, -2)
  return word.endsWith("s") && !word.endsWith("ss") ? word.slice(0, -1) : word
}

/** Step 1b. */
function participle(word: string): string {
  if (word.length > 3 && word.endsWith("eed")) return measure(word.slice(0, -3)) > 0 ? word.slice(0, -1) : word
  const ending = ["ed", "ing"].find((each) => word.endsWith(each))
  if (ending === undefined) return word
  const rest = word.slice(0, -ending.length)
  if (!hasVowel(rest)) return word
  if (/(at|bl|iz)$/.test(rest)) return `${rest}e`
  if (/([^aeioulsz])\1$/.test(rest)) return rest.slice(0, -1)
  return measure(rest) === 1 && isShort(rest) ? `${rest}e` : rest
}

/** The word with the ending of the first rule that it ends by, if what is left of it will do. */
function replaced(
  word: string,
  rules: readonly (readonly [string, string])[],
  allows: (rest: string, ending: string) => boolean,
): string {
  const rule = rules.find(([ending]) => word.endsWith(ending))
  if (!rule) return word
  const rest = word.slice(0, -rule[0].length)
  return allows(rest, rule[0]) ? rest + rule[1] : word
}

/** Each letter as a consonant or a vowel: `y` is one after a consonant. */
const shape = (word: string): string => {
  let marks = ""
  for (const letter of word) marks += /[aeiou]/.test(letter) || (letter === "y" && marks.endsWith("c")) ? "v" : "c"
  return marks
}

/** Porter's m: how often a consonant follows a vowel. */
const measure = (word: string): number => shape(word).match(/v+c+/g)?.length ?? 0
const hasVowel = (word: string): boolean => shape(word).includes("v")
/** Whether it ends in consonant, vowel, consonant, the last being none of w, x and y: Porter's *o. */
const isShort = (word: string): boolean => /cvc$/.test(shape(word)) && !/[wxy]$/.test(word)

function pairs(text: string): [string, string][] {
  return text.split(",").map((pair) => pair.split(" ") as [string, string])
}
