/**
 * @module The account of a data set as lines for people.
 */
import type { DatasetReport } from "./dataset.ts"

const SHOWN = 5

const count = (n: number, one: string, many = `${one}s`): string => `${n.toLocaleString("en")} ${n === 1 ? one : many}`

/** What is used, what was skipped and why, what was cut. The first line always says what is used. */
export function describeDataset(report: DatasetReport): string[] {
  const { used, skipped, shapes, maxLength, truncated, cutTokens, longest, tokens, labelledTokens, duplicates } = report
  const kinds = Object.entries(shapes).map(([shape, n]) => `${n.toLocaleString("en")} ${shape}`)
  const share = Math.round((100 * labelledTokens) / tokens)
  const lines = [
    `${count(used, "row")} (${kinds.join(", ")}), ${count(tokens, "token")}, ${share}% of them in the loss, longest ${longest}`,
  ]
  if (truncated > 0)
    lines.push(`${count(truncated, "row")} cut at ${maxLength} tokens, ${count(cutTokens, "token")} lost`)
  if (duplicates > 0) lines.push(`${count(duplicates, "row")} repeated word for word`)
  if (skipped.length > 0) lines.push(`${count(skipped.length, "row")} skipped:`)
  for (const { line, reason } of skipped.slice(0, SHOWN)) lines.push(`  line ${line}: ${reason}`)
  if (skipped.length > SHOWN) lines.push(`  and ${skipped.length - SHOWN} more`)
  return lines
}
