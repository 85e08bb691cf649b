/**
 * @module Invented names, built of syllables so that they tokenize regularly. A name belongs to one split for good, by a
 * hash of its letters: no held-out name is ever seen in training.
 */
import type { Draw, Split } from "./document.ts"

const list = (words: string): string[] => words.split(" ")
// Consonants that seldom follow a vowel inside an English word, so that a learned vocabulary cuts names where syllables
// meet rather than across.
const openings = list(
  "Ba Be Bi Bo De Do Du Fe Fi Fo Ga Go Gu Ja Jo Ju Ka Ke Ki Ko La Le Lo Lu Ma Me Mi Mo Mu Na No Pa Pe Po Ra Re Ri Ro Sa Si So Ta Ti Tu Va Ve Vi Vo Za Ze Zi Zo",
)
const tails = list("ba be bi bo bu fa fi fo ga go gu ja je jo ju ka ko ku ma mi mo mu pa pi po pu za ze zo zu")
const placeEndings = list("burg ford field port dale ville bridge heim holm brook")
const riverEndings = list("beck bach fall bourn")

/** The split a name belongs to: one in eight is held out. */
export function splitOf(name: string): Split {
  let hash = 2166136261
  for (let i = 0; i < name.length; i++) hash = Math.imul(hash ^ name.charCodeAt(i), 16777619)
  return ((hash >>> 7) & 7) === 0 ? "heldout" : "train"
}

/** An opening, tails, and an ending where there is one; the split goes by the part before the ending. */
function invent({ random, split }: Draw, endings: readonly string[] | null): string {
  for (;;) {
    const short = endings === null ? random.next() < 0.4 : random.next() < 0.6
    const stem = random.pick(openings) + random.pick(tails) + (short ? "" : random.pick(tails))
    const doubled = stem.slice(0, 2).toLowerCase() === stem.slice(2, 4)
    if (!doubled && splitOf(stem) === split) return stem + (endings === null ? "" : random.pick(endings))
  }
}

/** A person's name. */
export const person = (draw: Draw): string => invent(draw, null)
/** A town's name. */
export const town = (draw: Draw): string => invent(draw, placeEndings)
/** A river's name. */
export const river = (draw: Draw): string => invent(draw, riverEndings)

const shape = (): RegExp =>
  new RegExp(
    `\\b(${openings.join("|")})((?:${tails.join("|")}){1,2})(${[...placeEndings, ...riverEndings].join("|")})?\\b`,
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
    [opening, ...middle.match(/../g)!, ...(ending ? [ending] : [])].join(cut),
  )

/** Different values of one maker. */
export function different(count: number, make: () => string): string[] {
  const found = new Set<string>()
  while (found.size < count) found.add(make())
  return [...found]
}
