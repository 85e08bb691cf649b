/**
 * @module Wordings put together of parts, thousands of them: a combination belongs to one split for good, by a hash. Every
 * part is read in training; the held-out combinations are not.
 */
import type { Draw } from "./document.ts"
import { splitOf } from "./names.ts"

/** One in eight is enough: with fewer than this many, there is none. */
const MOST_TRIES = 10_000

/** One of each list, as a combination of the draw's split. @param key combinations of another key split otherwise */
export function composed<const T extends readonly (readonly string[])[]>(
  { random, split }: Draw,
  key: string,
  ...lists: T
): { [K in keyof T]: string } {
  for (let tries = 0; tries < MOST_TRIES; tries++) {
    const chosen = lists.map((list) => random.pick(list))
    if (splitOf(`${key}|${chosen.join("|")}`) === split) return chosen as unknown as { [K in keyof T]: string }
  }
  throw new RangeError(`No combination of "${key}" is of the ${split} split: its lists are too short`)
}

/**
 * The place in a list that a combination with a frame has, in the draw's split: for templates whose slots are filled.
 * @param size of the list
 */
export function composedIndex(
  d: Draw,
  key: string,
  size: number,
  frames: readonly string[],
): readonly [number, string] {
  const places = Array.from({ length: size }, (_, i) => String(i))
  const [place, frame] = composed(d, key, places, frames)
  return [Number(place), frame]
}

/** A place in a list that has the draw's split without a frame; any, where none has. */
export function barePlace({ random, split }: Draw, key: string, size: number): number {
  const places = Array.from({ length: size }, (_, i) => i)
  const own = places.filter((place) => splitOf(`${key}|${place}|`) === split)
  return random.pick(own.length > 0 ? own : places)
}

/** What may stand before any sentence or question. */
const frames = [
  ...new Array<string>(16).fill(""),
  "So: ",
  "Now: ",
  "Well: ",
  "Listen: ",
  "And now: ",
  "I say: ",
  "Again: ",
  "Once again: ",
  "And so: ",
  "Then: ",
]

/** Takes one of several templates, always the one in the same place and in the same frame. */
export type Phrasing = (templates: readonly string[]) => string

/** A place and a frame for so many templates, of the draw's split. */
export function phrasing(d: Draw, key: string, size: number): Phrasing {
  const [place, frame] = composedIndex(d, key, size, frames)
  return (templates) => `${frame}${templates[place]}`
}

/** One of several templates, in a frame or bare, of the draw's split. */
export const phrased = (d: Draw, key: string, templates: readonly string[]): string =>
  phrasing(d, key, templates.length)(templates)

const politenesses = [
  "",
  "",
  "",
  "please ",
  "now ",
  "could you ",
  "I want you to ",
  "kindly ",
  "then ",
  "you should ",
  "let us ",
]
const endings = ["", "", "", ", please", " for me", " now"]
const intros = [
  "",
  "",
  "",
  "Note: ",
  "Text: ",
  "Here is a note. ",
  "Look at this: ",
  "This is the text: ",
  "Sentence: ",
  "A note: ",
]
const joints = [". ", ": ", ". ", " - ", "! "]
/** How often a task comes before its material. */
const COMMAND_FIRST = 2 / 3

/** A text with a capital at its beginning. */
export const capital = (text: string): string => `${text[0]!.toUpperCase()}${text.slice(1)}`

/**
 * A task in words: what is to be done with some material, before it or after it.
 * @param key the family's name
 * @param commands what is to be done, each beginning with a verb in small letters and without a full stop
 * @param fill puts what differs from item to item into a command
 */
export function task(
  d: Draw,
  key: string,
  commands: readonly string[],
  material: string,
  fill: (command: string) => string = (command) => command,
): string {
  // What joins the two stands only where the command comes first: a part that is not shown must not decide the split.
  const first = d.random.next() < COMMAND_FIRST
  const [command, politeness, ending, intro, joint] = composed(
    d,
    `${key} ${first ? "first" : "last"}`,
    commands,
    politenesses,
    endings,
    intros,
    first ? joints : ["."],
  )
  const said = capital(`${politeness}${fill(command)}${ending}`)
  return first ? `${said}${joint}${intro}${material}` : `${intro}${material} ${said}${joint}`
}

const callings = ["", "", "", "please ", "now ", "kindly ", "then "]
const colons = [": ", ": ", ": ", ". ", " - "]

/** The same of some words that stand alone at the end, so that nobody takes what is asked for a part of them. */
export function asked(d: Draw, key: string, commands: readonly string[], material: string): string {
  const [command, calling, ending, colon] = composed(d, key, commands, callings, endings, colons)
  return `${capital(`${calling}${command}${ending}`)}${colon}${material}`
}
