/**
 * @module Retention: what a model still knows of what it knew before it was trained. The same few items of a suite are
 * scored before and after: questions by the part that is answered right, texts, which are no part of the training, by
 * their loss. Forgetting is how far the mean score over families has fallen.
 */
import { compareScores } from "./compare-scores.ts"
import type { SuiteScores } from "./score-suite.ts"
import type { Suite, SuiteItem } from "./suite.ts"

/** Items that retention is measured by. */
export interface RetentionSet {
  /** The suite's name and the sha256 of its file. */
  readonly suite: string
  readonly sha256: string
  readonly items: readonly SuiteItem[]
  readonly questions: number
  readonly texts: number
}

/** Which items of a suite are taken. */
export interface RetentionSelection {
  /** Items at most; a fourth of them are texts where the suite has as many. */
  readonly items: number
  /** Leave out the questions: they ask for what another base was taught. @default {false} */
  readonly textsOnly?: boolean
}

/** Scores before and after. */
export interface Retention {
  /** Means over families of the part of questions answered right, from 0 to 1; null where there are no questions. */
  readonly score: { readonly before: number; readonly after: number } | null
  /** Mean losses a token of the texts, in nats; null where there are no texts. */
  readonly loss: { readonly before: number; readonly after: number } | null
  /** Points of a hundred by which the mean score has fallen, below 0 where it has risen; null without questions. */
  readonly forgotten: number | null
  readonly families: readonly { readonly family: string; readonly before: number; readonly after: number }[]
}

const isText = (item: SuiteItem): boolean => "text" in item

/**
 * The first items of each family in turn, until there are enough: every family is as well represented as any other.
 * @throws {RangeError} If `items` is not a whole number of at least 1.
 */
export function retentionSet(suite: Suite, { items, textsOnly = false }: RetentionSelection): RetentionSet {
  if (!Number.isSafeInteger(items) || items < 1)
    throw new RangeError(`Expected retention-items to be a whole number of at least 1 but found ${items}`)
  const questions = textsOnly ? [] : inTurn(suite.items.filter((item) => !isText(item)))
  const texts = inTurn(suite.items.filter(isText))
  const someTexts = Math.max(Math.floor(items / 4), items - questions.length)
  const chosenTexts = texts.slice(0, someTexts)
  const chosen = new Set([...questions.slice(0, items - chosenTexts.length), ...chosenTexts])
  return {
    suite: suite.name,
    sha256: suite.hash,
    items: suite.items.filter((item) => chosen.has(item)),
    questions: chosen.size - chosenTexts.length,
    texts: chosenTexts.length,
  }
}

/** Items in such an order that the families take turns. */
function inTurn(items: readonly SuiteItem[]): SuiteItem[] {
  const seen = new Map<string, number>()
  const turns = items.map((item) => {
    const turn = seen.get(item.family) ?? 0
    seen.set(item.family, turn + 1)
    return { item, turn }
  })
  return turns.sort((a, b) => a.turn - b.turn).map(({ item }) => item)
}

/**
 * What was kept and what was lost.
 * @throws {TypeError} If the scores are not over the same items.
 */
export function compareRetention(before: SuiteScores, after: SuiteScores): Retention {
  const { exact } = compareScores(before, after)
  return {
    score: before.mean.all && after.mean.all && { before: before.mean.all.exact, after: after.mean.all.exact },
    loss: before.text && after.text && { before: before.text.loss, after: after.text.loss },
    forgotten: exact === null ? null : -100 * exact || 0,
    families: before.families.map(({ family, exact }, i) => ({
      family,
      before: exact,
      after: after.families[i]!.exact,
    })),
  }
}

/** Families that a table names. */
const MOST_NAMED = 6

/** The account for people, a line each. */
export function retentionLines({ score, loss, families }: Retention, set: RetentionSet): string[] {
  const percent = (part: number): string => `${(100 * part).toFixed(1)} %`
  const signed = (value: number, digits: number): string => `${value > 0 ? "+" : ""}${value.toFixed(digits)}`
  const counts = [
    ...(set.questions > 0 ? [`${set.questions} questions`] : []),
    ...(set.texts > 0 ? [`${set.texts} texts`] : []),
  ]
  const lines = [`Retention (${counts.join(" and ")} of ${set.suite})      before     after    change`]
  const width = lines[0]!.length - 30
  const row = (name: string, ...cells: string[]): string =>
    `${name.padEnd(width)}${cells.map((cell) => cell.padStart(10)).join("")}`
  if (score)
    lines.push(
      row(
        "  questions answered right",
        percent(score.before),
        percent(score.after),
        signed(100 * (score.after - score.before), 1),
      ),
    )
  const changed = families
    .filter(({ before, after }) => before !== after)
    .sort((a, b) => a.after - a.before - (b.after - b.before))
  for (const { family, before, after } of changed.slice(0, MOST_NAMED))
    lines.push(row(`    ${family}`, percent(before), percent(after), signed(100 * (after - before), 1)))
  if (changed.length > MOST_NAMED) lines.push(`    and ${changed.length - MOST_NAMED} families more have changed`)
  if (loss)
    lines.push(
      row("  loss of texts", loss.before.toFixed(4), loss.after.toFixed(4), signed(loss.after - loss.before, 4)),
    )
  return lines
}

/** Retention as espalier.json and --json have it: parts are between 0 and 1, `forgotten` in points of a hundred. */
export const retentionFacts = (kept: Retention, { suite, sha256, questions, texts }: RetentionSet) => ({
  suite: { name: suite, sha256 },
  questions,
  texts,
  ...kept,
})
