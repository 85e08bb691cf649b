/**
 * @module The words of a page that is too deeply nested for a parser, and how deep that is, in a time that grows with its
 * length alone, whatever it holds.
 */
import type { ReadPage } from "./page.ts"

/** Elements that end by themselves: they never hold another of their kind, and some hold nothing. */
const unnested = new Set(
  (
    "area base br col embed hr img input link meta param source track wbr p li dt dd tr td th thead tbody tfoot option " +
    "optgroup rt rp"
  ).split(" "),
)

/** Elements whose content is no text. */
const silent = ["script", "style", "noscript", "template", "iframe"]

/** A sign that begins no tag. */
const LONE = /<(?![a-z/!?])/gi

/** What a parser would have to do with a page, about. */
export interface Extent {
  /** How deep elements are nested. */
  readonly depth: number
  readonly elements: number
  /** Signs that begin no tag. */
  readonly signs: number
}

/** How deep a page is nested, and how much there is of it. */
export function extentOf(html: string): Extent {
  let depth = 0
  let deepest = 0
  let elements = 0
  for (const { 0: tag, 1: closing, 2: name, index } of html.matchAll(/<(\/?)([a-z][a-z0-9:-]*)/gi)) {
    if (closing === "") elements++
    if (unnested.has(name!.toLowerCase())) continue
    if (closing !== "") {
      depth = Math.max(0, depth - 1)
      continue
    }
    const end = html.indexOf(">", index + tag.length)
    if (end < 0) break
    if (html[end - 1] !== "/") deepest = Math.max(deepest, ++depth)
  }
  return { depth: deepest, elements, signs: html.match(LONE)?.length ?? 0 }
}

/** What is left of a page without its tags. */
export function strippedPage(given: string): ReadPage {
  const html = given.replace(LONE, "&lt;")
  const lower = html.toLowerCase()
  const title = between(html, lower, "<title>", "</title>")
  const parts: string[] = []
  let at = 0
  while (at < html.length) {
    const open = html.indexOf("<", at)
    if (open < 0) break
    parts.push(html.slice(at, open), " ")
    const comment = html.startsWith("<!--", open)
    const hidden = silent.find((name) => lower.startsWith(`<${name}`, open))
    const close = comment ? "-->" : hidden === undefined ? ">" : `</${hidden}>`
    const end = lower.indexOf(close, open)
    // What is never closed holds the rest.
    at = end < 0 ? html.length : end + close.length
  }
  parts.push(html.slice(at))
  return { title: unescaped(title).trim(), text: unescaped(parts.join("")).replace(/\s+/g, " ").trim() }
}

function between(html: string, lower: string, open: string, close: string): string {
  const start = lower.indexOf(open)
  const end = start < 0 ? -1 : lower.indexOf(close, start)
  return end < 0 ? "" : html.slice(start + open.length, end)
}

const entities: Readonly<Record<string, string>> = {
  "&amp;": "&",
  "&lt;": "<",
  "&gt;": ">",
  "&quot;": '"',
  "&#39;": "'",
  "&nbsp;": " ",
}

/** A text whose commonest entities are the characters that they stand for. */
export const unescaped = (text: string): string =>
  text.replace(/&(?:amp|lt|gt|quot|#39|nbsp);/g, (found) => entities[found]!)
