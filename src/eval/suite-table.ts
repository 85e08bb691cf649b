/**
 * @module Scores as a table for people: a family a row, a model a group of columns, the base first; of every further
 * model the difference from the base.
 */
import { compareScores } from "./compare-scores.ts"
import type { MeanScore, SuiteScores } from "./score-suite.ts"

/** A model and its scores. */
export interface ScoredModel {
  readonly name: string
  readonly scores: SuiteScores
}

const percent = (part: number): string => (100 * part).toFixed(1)

/** With its sign; what rounds to nothing has none. */
function signed(value: number, digits: number): string {
  const text = value.toFixed(digits)
  const none = Number(text) === 0
  return none ? (0).toFixed(digits) : value > 0 ? `+${text}` : text
}

/**
 * Draws the table.
 * @param models scores over the same items, the base's first
 */
export function suiteTable(models: readonly [ScoredModel, ...ScoredModel[]]): string {
  const [base, ...others] = models
  const differences = others.map(({ scores }) => compareScores(base.scores, scores))
  const heads = ["exact %", "abstained %"]
  const rows: string[][] = [
    ["", "", base.name, "", ...others.flatMap(({ name }) => [name, "", ""])],
    ["family", "items", ...heads, ...others.flatMap(() => [...heads, "+/-"])],
  ]
  for (const [i, { family, items, exact, abstained }] of base.scores.families.entries()) {
    rows.push([
      family,
      String(items),
      percent(exact),
      percent(abstained),
      ...others.flatMap(({ scores }, model) => [
        percent(scores.families[i]!.exact),
        percent(scores.families[i]!.abstained),
        signed(100 * differences[model]!.families[i]!.exact, 1),
      ]),
    ])
  }
  const means = [
    ["all families", (scores: SuiteScores) => scores.mean.all],
    ["answerable ones", (scores: SuiteScores) => scores.mean.answerable],
    ["unanswerable ones", (scores: SuiteScores) => scores.mean.unanswerable],
  ] as const
  const foot: string[][] = means.flatMap(([label, of]) => {
    const first = of(base.scores)
    if (!first) return []
    const cells = (mean: MeanScore): string[] => [percent(mean.exact), percent(mean.abstained)]
    const further = others.flatMap(({ scores }) => {
      const mean = of(scores)!
      return [...cells(mean), signed(100 * (mean.exact - first.exact), 1)]
    })
    return [[`mean of ${label}`, String(first.families), ...cells(first), ...further]]
  })
  const { text } = base.scores
  if (text) {
    foot.push([
      "perplexity of texts",
      String(text.texts),
      text.perplexity.toFixed(2),
      "",
      ...others.flatMap(({ scores }) => [
        scores.text!.perplexity.toFixed(2),
        "",
        signed(scores.text!.perplexity - text.perplexity, 2),
      ]),
    ])
    foot.push([
      "loss a token",
      String(text.tokens),
      text.loss.toFixed(4),
      "",
      ...others.flatMap(({ scores }, model) => [
        scores.text!.loss.toFixed(4),
        "",
        signed(differences[model]!.loss!, 4),
      ]),
    ])
  }
  return drawn(rows, foot)
}

/** Rows under each other, the first column to the left, the others to the right, names over the columns that they head. */
function drawn(rows: readonly string[][], foot: readonly string[][]): string {
  const [names, ...body] = rows as [string[], ...string[][]]
  const widths = body[0]!.map((_, column) => Math.max(...[...body, ...foot].map((row) => row[column]!.length)))
  // A name stands over its group of columns: a longer one widens the last of them.
  for (const [column, name] of names.entries()) {
    if (name === "") continue
    const next = names.findIndex((each, i) => i > column && each !== "")
    const end = next < 0 ? widths.length : next
    const has = widths.slice(column, end).reduce((sum, width) => sum + width + 2, -2)
    widths[end - 1]! += Math.max(0, name.length - has)
  }
  const line = (row: readonly string[]): string =>
    row
      .map((cell, column) => (column === 0 ? cell.padEnd(widths[0]!) : cell.padStart(widths[column]!)))
      .join("  ")
      .trimEnd()
  let head = ""
  let at = 0
  for (const [column, name] of names.entries()) {
    if (name !== "") head = head.padEnd(at) + name
    at += widths[column]! + 2
  }
  return [head, ...body.map(line), ...(foot.length > 0 ? ["", ...foot.map(line)] : []), ""].join("\n")
}
