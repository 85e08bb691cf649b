/**
 * @module A merge as people read it.
 */
import type { MergeResult } from "../service/save-merged.ts"
import type { Io } from "./command.ts"
import { printable, typedAs } from "./io.ts"

/** A part as a percentage, or as a power of ten where it is rounding. */
const part = (value: number): string =>
  value === 0 ? "0" : value < 1e-4 ? value.toExponential(1) : `${(value * 100).toPrecision(3)} %`

/** What was merged, how near it came, and what to do next. */
export function mergeText(
  out: string,
  { sources, recipe, forms, report }: MergeResult,
  { layers, fused, env }: { readonly layers: boolean; readonly fused: boolean; readonly env: Io["env"] },
): string {
  const names = sources.map(({ name, weight }) => `${printable(name)} * ${Number(weight.toPrecision(6))}`)
  const lines = [`${fused ? "Fused" : "Merged"} by ${recipe.method}: ${names.join(" + ")}`]
  if (report) {
    const ranks = forms.flatMap((form) => (form.form === "lowrank" ? [form.a.shape[0]!] : []))
    if (ranks.length > 0) lines.push(`Rank: ${rangeOf(ranks)} in ${ranks.length} layers`)
    lines.push("", `Relative error against the true weighted sum: ${part(report.error)}`)
    if (report.cut > 1e-6) lines.push(`Lost by cutting the rank: ${part(report.cut)} of what the method asks for`)
    lines.push("", "Distance from each adapter alone, as a part of what it changes:")
    const width = Math.max(...report.sources.map(({ name }) => printable(name).length))
    for (const { name, distance } of report.sources) lines.push(`  ${printable(name).padEnd(width)}  ${part(distance)}`)
    if (layers) {
      lines.push("", "Relative error of each layer:")
      for (const { path, rank, error } of report.layers)
        lines.push(`  ${path}  ${rank === null ? "" : `rank ${rank}  `}${part(error)}`)
    }
  }
  lines.push(
    "",
    `Saved to ${out}`,
    "",
    `Talk to it: ${typedAs("chat", env)} ${fused ? "--base" : "--adapter"} ${out}`,
    "",
  )
  return lines.join("\n")
}

function rangeOf(ranks: readonly number[]): string {
  const [least, most] = [Math.min(...ranks), Math.max(...ranks)]
  return least === most ? `${least}` : `${least} to ${most}`
}
