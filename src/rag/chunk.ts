/**
 * @module Cuts a document's text into pieces that a base can read: along headings and sentences, with as many tokens as
 * its own tokenizer counts, each piece beginning with the end of the one before.
 */

/** A piece of a text, as a range of UTF-16 code units. */
export interface Chunk {
  readonly start: number
  /** Exclusive. */
  readonly end: number
  /** The headings that it stands under, outermost first. */
  readonly headings: readonly string[]
}

/** How a text is cut. */
export interface ChunkOptions {
  /** Tokens of a piece at most. @default {160} */
  readonly tokens?: number
  /** Tokens of a piece that the next repeats, at most: whole sentences, so often fewer. @default {32} */
  readonly overlap?: number
  /** Tokens of a text, as the base counts them. */
  readonly count: (text: string) => number
}

/** Tokens of a piece. */
export const CHUNK_TOKENS = 160
/** Tokens that pieces share. */
export const CHUNK_OVERLAP = 32

/** A sentence, a heading, or a part of a sentence that is too long to stand whole. */
interface Unit {
  readonly start: number
  readonly end: number
  readonly tokens: number
  /** 1 to 6 where it is a heading. */
  readonly heading: number | null
}

/**
 * Pieces that together hold the whole text, in order.
 * @param text with headings as Markdown writes them (`# Title`)
 * @throws {RangeError} If the sizes make no sense.
 */
export function chunkText(text: string, options: ChunkOptions): Chunk[] {
  const { tokens: most = CHUNK_TOKENS, overlap = CHUNK_OVERLAP, count } = options
  if (!Number.isSafeInteger(most) || most < 8)
    throw new RangeError(`Expected pieces of at least 8 tokens but found ${most}`)
  if (!Number.isSafeInteger(overlap) || overlap < 0 || overlap > most / 2)
    throw new RangeError(`Expected an overlap of 0 to ${Math.floor(most / 2)} tokens but found ${overlap}`)
  const units = unitsOf(text, most, count)
  const paths = headingsAbove(units, text)
  const chunks: Chunk[] = []
  let first = 0
  while (first < units.length) {
    const path = paths[first]!
    let next = first
    let size = 0
    while (next < units.length && size + units[next]!.tokens <= most) {
      // A heading begins a piece of its own, unless nothing but headings came before it.
      if (next > first && units[next]!.heading !== null && units[next - 1]!.heading === null) break
      size += units[next]!.tokens
      next++
    }
    chunks.push({ start: units[first]!.start, end: units[next - 1]!.end, headings: path })
    if (next >= units.length) break
    first = overlapFrom(units, first, next, overlap)
  }
  return chunks
}

/** Where the next piece begins: at `next`, or a few sentences earlier. */
function overlapFrom(units: readonly Unit[], first: number, next: number, overlap: number): number {
  if (units[next]!.heading !== null) return next
  let from = next
  let shared = 0
  while (from - 1 > first && units[from - 1]!.heading === null && shared + units[from - 1]!.tokens <= overlap)
    shared += units[--from]!.tokens
  return from
}

/** The headings above each unit, itself being one of them if it is one, outermost first. */
function headingsAbove(units: readonly Unit[], text: string): (readonly string[])[] {
  let open: readonly { readonly level: number; readonly words: string }[] = []
  let path: readonly string[] = []
  return units.map(({ heading, start, end }) => {
    if (heading === null) return path
    const line = text.slice(start, end)
    const words = line.replace(/^#+\s*/, "").trim()
    open = [...open.filter(({ level }) => level < heading), { level: heading, words }]
    path = open.map((each) => each.words)
    return path
  })
}

const sentences = new Intl.Segmenter("en", { granularity: "sentence" })
const HEADING = /^(#{1,6})\s+\S/

/** The text in units, none of more than `most` tokens; their ranges follow each other without a gap. */
function unitsOf(text: string, most: number, count: (text: string) => number): Unit[] {
  const units: Unit[] = []
  const add = (start: number, end: number, heading: number | null): void => {
    const tokens = count(text.slice(start, end))
    if (tokens <= most) units.push({ start, end, tokens, heading })
    else for (const [from, to] of cut(text, start, end)) add(from, to, null)
  }
  for (const line of linesOf(text)) {
    const heading = HEADING.exec(text.slice(line.start, line.end))?.[1]?.length ?? null
    if (heading !== null) add(line.start, line.end, heading)
    else
      for (const { index, segment } of sentences.segment(text.slice(line.start, line.end)))
        add(line.start + index, line.start + index + segment.length, null)
  }
  return units
}

/** Paragraphs and headings, each with the blank lines that follow it. */
function linesOf(text: string): { start: number; end: number }[] {
  const lines: { start: number; end: number }[] = []
  let start = 0
  // A paragraph ends where a blank line or a heading follows.
  for (const { index } of text.matchAll(/\n(?=#{1,6}\s)|(?<=^#{1,6}\s[^\n]*)\n|\n[^\S\n]*\n\s*/gm)) {
    let end = index
    while (end < text.length && /\s/.test(text[end]!)) end++
    if (end <= start) continue
    lines.push({ start, end })
    start = end
  }
  if (start < text.length) lines.push({ start, end: text.length })
  return lines
}

/** Two halves of a range, cut at the blank nearest its middle, or between two characters. */
function cut(text: string, start: number, end: number): [number, number][] {
  const middle = Math.floor((start + end) / 2)
  let at = middle
  for (let step = 0; step < (end - start) / 4; step++) {
    const found = [middle + step, middle - step].find((i) => /\s/.test(text[i] ?? ""))
    if (found !== undefined) {
      at = found + 1
      break
    }
  }
  // Not inside a character of two code units.
  if (/[\uDC00-\uDFFF]/.test(text[at] ?? "")) at++
  return at >= end
    ? [
        [start, middle],
        [middle, end],
      ]
    : [
        [start, at],
        [at, end],
      ]
}
