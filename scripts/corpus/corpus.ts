/**
 * @module The corpus: an unbounded, seeded stream of documents in simple English, mixed by weight.
 */
import { rng } from "../../src/core/rng.ts"
import { bindingFamilies } from "./binding.ts"
import { dialogueFamilies } from "./dialogue.ts"
import type { CorpusDocument, CorpusMessage, Family, Split } from "./document.ts"
import { drillFamilies } from "./drills.ts"
import { extractionFamilies } from "./extraction.ts"
import { formFamilies } from "./forms.ts"
import { numberFamilies } from "./numbers.ts"
import { orderFamilies } from "./order.ts"
import { readingFamilies } from "./reading.ts"
import { rewritingFamilies } from "./rewriting.ts"
import { skillFamilies } from "./skills.ts"
import { storyFamilies } from "./stories.ts"

/** Every family. */
export const families: readonly Family[] = [
  ...readingFamilies,
  ...bindingFamilies,
  ...drillFamilies,
  ...extractionFamilies,
  ...orderFamilies,
  ...numberFamilies,
  ...skillFamilies,
  ...rewritingFamilies,
  ...formFamilies,
  ...dialogueFamilies,
  ...storyFamilies,
]

/** "a orange hat" to "an orange hat": templates say "a" before whatever comes. */
export const article = (text: string): string => text.replace(/\b([Aa]) (?=[aeio])/g, "$1n ")

/** The same, all through a document. */
function withArticles(document: CorpusDocument): CorpusDocument {
  if ("text" in document) return { ...document, text: article(document.text) }
  return {
    ...document,
    messages: document.messages.map((message) => ({ ...message, content: article(message.content) })),
  }
}

/** Documents over which the first weights become the lasting ones. */
const EARLY_DOCUMENTS = 60_000
/** Documents after which what is still weak comes more often: those of some 16,000 steps of sprig's pre-training. */
const LAST_DOCUMENTS = 410_000
/** Documents after which the last weights are corrected by what they have let fade: those of some 24,000 steps. */
const END_DOCUMENTS = 570_000

/** Documents of a second course after which as much is left open as in the first: those of some 3,200 steps. */
const AGAIN_LATE_DOCUMENTS = 50_000

/** How often a family comes in a base's whole course, after so many documents. */
function weightIn({ weight, early = weight, last = weight, end = last }: Family, made: number): number {
  if (made >= END_DOCUMENTS) return end
  if (made >= LAST_DOCUMENTS) return last
  return early + (weight - early) * Math.min(1, made / EARLY_DOCUMENTS)
}

/** The same in a course by which a finished base goes on. */
function weightAgain(family: Family, made: number): number {
  const { weight, last = weight, end = last, again = end, againLate = again } = family
  return made >= AGAIN_LATE_DOCUMENTS ? againLate : again
}

/** Which documents come: those of a base's whole course, or those by which a finished base goes on. */
export type Course = "whole" | "again"

/**
 * Documents without end; the same seed and split give the same ones. Drills that teach to copy, and to find a
 * subject's value, come first and often: everything that is read from a passage stands on them. Reading and abstaining,
 * which go on gaining when all else is learned, come oftenest at the end. A finished base goes on with passages of which all
 * is asked; at first they leave open as much again, later less.
 */
export function* corpusStream(
  seed: number,
  split: Split = "train",
  course: Course = "whole",
): Generator<CorpusDocument> {
  const isAgain = course === "again" && split === "train"
  const draw = { random: rng(seed, `corpus:${isAgain ? "again" : split}`), split }
  for (let made = 0; ; made++) {
    const weights = families.map((family) =>
      split === "heldout" ? family.weight : isAgain ? weightAgain(family, made) : weightIn(family, made),
    )
    let at = draw.random.next() * weights.reduce((sum, weight) => sum + weight, 0)
    const family = families.find((_, i) => {
      at -= weights[i]!
      return at < 0
    })
    yield withArticles((family ?? families[0]!).make(draw))
  }
}

/** An item to score by exact match. */
export interface SuiteItem {
  readonly family: string
  readonly messages: readonly CorpusMessage[]
  readonly answer: string
}

/** Held-out items of every family that can be scored: unseen names, numbers and templates. */
export function suiteItems(seed: number, perFamily: number): SuiteItem[] {
  return families
    .filter(({ scored }) => scored)
    .flatMap((family) => {
      const draw = { random: rng(seed, `suite:${family.name}`), split: "heldout" as const }
      return Array.from({ length: perFamily }, () => {
        const document = withArticles(family.make(draw))
        if (!("messages" in document)) throw new TypeError(`Family ${family.name} is scored but makes no conversation`)
        return {
          family: family.name,
          messages: document.messages.slice(0, -1),
          answer: document.messages.at(-1)!.content,
        }
      })
    })
}
