/**
 * @module What `espalier train` shows at its end: tasks, the matrix of a curriculum, answers, what to type next.
 */
import { basename } from "node:path"
import type { Answered } from "../eval/answers.ts"
import type { MatrixMeasures } from "../eval/task-matrix.ts"
import { printable, typedAs } from "./io.ts"

/** A task's figures before and after. */
export interface TaskFigures {
  readonly name: string
  readonly rows: number
  /** The part of the rows drawn; null where tasks come one after another. */
  readonly share: number | null
  /** Mean loss a labelled token of its held-out rows, in nats; null where it has none. */
  readonly loss: { readonly before: number; readonly after: number } | null
  /** Held-out answers; null where none were asked for. */
  readonly score: { readonly questions: number; readonly before: number; readonly after: number } | null
}

/** Scores on every task after each of them. */
export interface CurriculumFigures extends MatrixMeasures {
  /** What scores are: answers exactly right, or where a task has no questions, held-out tokens that were the likeliest. */
  readonly measure: "exact" | "token_accuracy"
  /** Of the frozen base. */
  readonly before: readonly number[]
  /** R[i][j]: the score on task j after training on task i. */
  readonly matrix: readonly (readonly number[])[]
}

/** A part as a percentage. */
export const percent = (part: number): string => `${(100 * part).toFixed(1)} %`

/** Rows of cells under each other, the first column to the left and the others to the right. */
function drawn(rows: readonly (readonly string[])[]): string {
  const widths = rows[0]!.map((_, column) => Math.max(...rows.map((row) => row[column]!.length)))
  return rows
    .map((row) =>
      row
        .map((cell, i) => (i === 0 ? cell.padEnd(widths[0]!) : cell.padStart(widths[i]!)))
        .join("  ")
        .trimEnd(),
    )
    .join("\n")
}

/** Tasks as a table. */
export function taskTable(tasks: readonly TaskFigures[]): string {
  const rows = tasks.map(({ name, rows, share, loss, score }) => [
    name,
    String(rows),
    share === null ? "" : percent(share),
    loss?.before.toFixed(4) ?? "",
    loss?.after.toFixed(4) ?? "",
    score ? percent(score.before) : "",
    score ? percent(score.after) : "",
    score ? String(score.questions) : "",
  ])
  const head = ["task", "rows", "share", "loss before", "after", "exact before", "after", "questions"]
  const all = [head, ...rows]
  const shown = head.map((_, i) => i).filter((i) => i === 0 || rows.some((row) => row[i] !== ""))
  return drawn(all.map((row) => shown.map((i) => row[i]!)))
}

/** A curriculum's scores as a table, in percent. */
export function matrixTable(names: readonly string[], figures: CurriculumFigures): string {
  const { measure, before, matrix, average, backwardTransfer, forwardTransfer, forgetting } = figures
  const cells = (scores: readonly number[]): string[] => scores.map((score) => (100 * score).toFixed(1))
  const what = measure === "exact" ? "Exactly right, in %" : "Held-out tokens right, in %"
  const points = (name: string, value: number | null): string[] =>
    value === null ? [] : [`${name} ${(100 * value).toFixed(1)}`]
  return [
    drawn([
      [what, ...names],
      ["before", ...cells(before)],
      ...matrix.map((row, i) => [`after ${names[i]}`, ...cells(row)]),
    ]),
    [
      ...points("Average", average),
      ...points("backward transfer", backwardTransfer),
      ...points("forward transfer", forwardTransfer),
      ...points("forgetting", forgetting),
    ].join(", "),
  ].join("\n")
}

/** A few answers before and after, with what was wanted. */
export function samplesText(before: readonly Answered[], after: readonly Answered[], count: number): string {
  return after
    .slice(0, count)
    .map(({ question, answer }, i) => {
      const asked = question.messages.at(-1)?.content ?? question.prompt ?? ""
      return `\n> ${printable(asked)}\n  before: ${printable(before[i]!.answer)}\n  after:  ${printable(answer)}\n  wanted: ${printable(question.answer)}\n`
    })
    .join("")
}

/** What a trained adapter or base is used by. */
export interface NextSteps {
  /** Whether a whole base was written, and no adapter. */
  readonly ownBase: boolean
  /** Whether it is held back from serving. */
  readonly heldBack: boolean
  /** The environment, by which {@link typedAs} knows what was typed. */
  readonly env: Readonly<Record<string, string | undefined>>
}

/** What to type next, as what ran was typed: by a script of package.json in a clone, by the command's own name elsewhere. */
export function nextSteps(out: string, base: string | undefined, { ownBase, heldBack, env }: NextSteps): string {
  const baseFlag = base ? ` --base ${base}` : ""
  const chosen = ownBase ? ` --base ${out}` : `${baseFlag} --adapter ${out}`
  const served = ownBase ? ` --base ${out}` : `${baseFlag} --adapter ${basename(out)}=${out}`
  return `Try it:    ${typedAs("chat", env)}${chosen}\nServe it:  ${typedAs("serve", env)}${served}${heldBack ? " --force" : ""}\n`
}
