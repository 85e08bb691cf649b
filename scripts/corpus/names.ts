/**
 * @module Invented names, built of syllables so that they tokenize regularly. A name belongs to one split for good, by a
 * hash of its letters: no held-out name is ever seen in training.
 */
import type { Draw, Split } from "./document.ts"

const list = (words: string): string[] => words.split(" ")
const syllables = (onsets: string, codas: string): string[] =>
  list(onsets).flatMap((onset) => list("a e i o u").flatMap((vowel) => list(codas).map((coda) => onset + vowel + coda)))

// Three letters each, and many: names of one passage then seldom share a syllable, and one that was never seen as a
// whole is made of tokens that were.
const openings = syllables("B D F G H J K L M N P R S T V Z", "l n")
const middles = syllables("b d f g k m p t v z", "r k s")
const placeEndings = list("burg ford field port dale ville bridge heim holm brook")
const riverEndings = list("beck bach fall bourn")

/** The split that something belongs to, by a hash of its letters: one in eight is held out. */
export function splitOf(name: string): Split {
  let hash = 2166136261
  for (let i = 0; i < name.length; i++) hash = Math.imul(hash ^ name.charCodeAt(i), 16777619)
  return ((hash >>> 7) & 7) === 0 ? "heldout" : "train"
}

/** An opening, one or two more syllables, and an ending where there is one; the split goes by the part before the ending. */
function invent({ random, split }: Draw, endings: readonly string[] | null): string {
  for (;;) {
    const stem = random.pick(openings) + random.pick(middles) + (random.next() < 0.6 ? "" : random.pick(middles))
    if (splitOf(stem) === split) return stem + (endings === null ? "" : random.pick(endings))
  }
}

/** A person's name. */
export const person = (draw: Draw): string => invent(draw, null)
/** A town's name. */
export const town = (draw: Draw): string => invent(draw, placeEndings)
/** A river's name. */
export const river = (draw: Draw): string => invent(draw, riverEndings)

/**
 * A name that is another one but for a syllable: who is told from whom only by reading the whole.
 * @param name of a person, a town or a river
 */
export function alike({ random, split }: Draw, name: string): string {
  const [, opening, middle, ending = ""] = shape().exec(name)!
  for (;;) {
    const parts = [opening!, ...middle!.match(/.../g)!]
    const at = random.below(parts.length)
    parts[at] = random.pick(at === 0 ? openings : middles)
    const stem = parts.join("")
    if (`${stem}${ending}` !== name && splitOf(stem) === split) return `${stem}${ending}`
  }
}

/** A whole number of the draw's split: held-out numbers never stand in training as a count. */
export function count({ random, split }: Draw, least = 2, most = 99): number {
  for (;;) {
    const found = least + random.below(most - least + 1)
    if (splitOf(`count ${found}`) === split) return found
  }
}

const shape = (): RegExp =>
  new RegExp(
    `\\b(${openings.join("|")})((?:${middles.join("|")}){1,2})(${[...placeEndings, ...riverEndings].join("|")})?\\b`,
    "g",
  )

/** What the split of every invented name in a text goes by, for checks that the splits stay apart. */
export const inventedStems = (text: string): string[] =>
  Array.from(text.matchAll(shape()), ([, opening, middle]) => `${opening}${middle}`)

/**
 * A text for training a tokenizer: names are cut into syllables by a special token, so that no merge spans two of them
 * and a name that was never seen is spelled by the same tokens as those that were.
 */
export const cutNames = (text: string, cut: string): string =>
  text.replace(shape(), (_, opening: string, middle: string, ending = "") =>
    [opening, ...middle.match(/.../g)!, ...(ending ? [ending] : [])].join(cut),
  )

/** Different values of one maker. */
export function different<T>(count: number, make: () => T): T[] {
  const found = new Set<T>()
  while (found.size < count) found.add(make())
  return [...found]
}
