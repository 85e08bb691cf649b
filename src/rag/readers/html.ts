/**
 * @module The article of a web page as plain text, without its menus and adverts, with its headings as Markdown writes them.
 */

import type { Readability as ReadabilityClass } from "@mozilla/readability"
import { extentOf, strippedPage } from "./html-strip.ts"
import type { ReadPage } from "./page.ts"

/** What of linkedom's nodes is looked at. */
interface Node {
  readonly nodeType: number
  readonly nodeName: string
  readonly textContent: string | null
  readonly childNodes: Iterable<Node>
}

/** What of linkedom's windows is looked at: its own types are the browser's, which Deno's check does not know. */
interface Page {
  readonly document: { readonly body: Node; readonly title: string }
}

/**
 * The parsers take a time that grows with the cube of how deep elements are nested: a few kilobytes would take minutes.
 * Pages have some 30.
 */
const DEEPEST = 100
/** Elements of a page that are looked through for its article; longer ones are read whole. */
const MOST_ELEMENTS = 10_000
/** Signs that begin no tag: for each the parser looks through all that follows. */
const MOST_SIGNS = 1000

/** Reads a page, whatever it holds: what the parsers can't take apart loses its tags alone. */
export async function readHtml(html: string): Promise<ReadPage> {
  const { depth, elements, signs } = extentOf(html)
  if (depth > DEEPEST || signs > MOST_SIGNS) return strippedPage(html)
  try {
    return await parsedPage(html, elements <= MOST_ELEMENTS)
  } catch {
    return strippedPage(html)
  }
}

/** Reads a page by its elements. The parsers are loaded when first needed. @param findsArticle leaves out what is around it */
async function parsedPage(html: string, findsArticle: boolean): Promise<ReadPage> {
  const [{ parseHTML }, { Readability }] = await Promise.all([import("linkedom"), import("@mozilla/readability")])
  // A fragment has no body of its own.
  const pageOf = (text: string): Page => parseHTML(text) as unknown as Page
  const { document } = pageOf(/<body[\s>]/i.test(html) ? html : `<html><body>${html}</body></html>`)
  const whole = textOf(document.body)
  const title = document.title
  if (!findsArticle) return { title, text: whole }
  const article = new Readability(document as unknown as ConstructorParameters<typeof ReadabilityClass>[0]).parse()
  const found = article?.content ? textOf(pageOf(`<html><body>${article.content}</body></html>`).document.body) : ""
  // A short page is taken for no article at all.
  return { title: article?.title || title, text: found.length >= whole.length / 3 ? found : whole }
}

const TEXT = 3
const skipped = new Set(["SCRIPT", "STYLE", "NOSCRIPT", "TEMPLATE", "NAV", "IFRAME", "SVG", "HEAD"])
const parting = new Set(
  "ADDRESS ARTICLE ASIDE BLOCKQUOTE DD DIV DL DT FIGCAPTION FIGURE FOOTER FORM HEADER MAIN OL P PRE SECTION TABLE UL".split(
    " ",
  ),
)

function textOf(node: Node): string {
  const parts: string[] = []
  const visit = (each: Node): void => {
    if (each.nodeType === TEXT) {
      parts.push((each.textContent ?? "").replace(/\s+/g, " "))
      return
    }
    const name = each.nodeName.toUpperCase()
    if (skipped.has(name)) return
    const heading = /^H([1-6])$/.exec(name)?.[1]
    if (heading !== undefined) parts.push(`\n\n${"#".repeat(Number(heading))} `)
    else if (name === "LI") parts.push("\n- ")
    else if (name === "BR" || name === "TR") parts.push("\n")
    else if (name === "TD" || name === "TH") parts.push(" ")
    else if (parting.has(name)) parts.push("\n\n")
    for (const child of each.childNodes) visit(child)
    if (heading !== undefined || parting.has(name)) parts.push("\n\n")
  }
  visit(node)
  return parts
    .join("")
    .replace(/[^\S\n]+/g, " ")
    .replace(/ ?\n ?/g, "\n")
    .replace(/\n{3,}/g, "\n\n")
    .trim()
}
