/**
 * @module Invented names, built of syllables so that they tokenize regularly. A name belongs to one split for good, by a
 * hash of its letters: no held-out name is ever seen in training.
 */
import type { Draw, Split } from "./document.ts"

const openings =
  "Ba Be Bo Da De Do Fa Fe Fi Ga Go Ha He Ja Jo Ka Ke Ki La Le Li Lo Ma Me Mi Mo Na Ne Ni No Pa Pe Po Ra Re Ri Ro Sa Se Si So Ta Te Ti To Va Ve Vi Wa We Za Ze".split(
    " ",
  )
const middles =
  "ba da de do fa ga ka ke la le li lo ma me mi mo na ne ni no pa ra re ri ro sa se so ta te ti va ve vi za".split(" ")
const personEndings = "ra na la mi ro no li sa ta den vin mar lan rin sel".split(" ")
const placeEndings = "ton burg dale ford wick stad mor heim port field".split(" ")
const riverEndings = "wen dor nis lan thar sil".split(" ")

/** The split a name belongs to: one in eight is held out. */
export function splitOf(name: string): Split {
  let hash = 2166136261
  for (let i = 0; i < name.length; i++) hash = Math.imul(hash ^ name.charCodeAt(i), 16777619)
  return ((hash >>> 7) & 7) === 0 ? "heldout" : "train"
}

function invent({ random, split }: Draw, endings: readonly string[]): string {
  for (;;) {
    const middle = random.next() < 0.4 ? random.pick(middles) : ""
    const name = random.pick(openings) + middle + random.pick(endings)
    if (splitOf(name) === split) return name
  }
}

/** A person's name. */
export const person = (draw: Draw): string => invent(draw, personEndings)
/** A town's name. */
export const town = (draw: Draw): string => invent(draw, placeEndings)
/** A river's name. */
export const river = (draw: Draw): string => invent(draw, riverEndings)

/** Every invented name in a text, for checks that the splits stay apart. */
export function inventedNames(text: string): string[] {
  const endings = [...personEndings, ...placeEndings, ...riverEndings].join("|")
  return text.match(new RegExp(`\\b(?:${openings.join("|")})(?:${middles.join("|")})?(?:${endings})\\b`, "g")) ?? []
}

/** Different values of one maker. */
export function different(count: number, make: () => string): string[] {
  const found = new Set<string>()
  while (found.size < count) found.add(make())
  return [...found]
}
