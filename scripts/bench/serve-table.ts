/**
 * @module What `bench serve` found, as a table.
 */
import { formatBytes } from "../../src/train/progress.ts"
import type { LoadFigures } from "./load.ts"
import type { Memory } from "./side.ts"
import { type Summary, summarise } from "./stats.ts"

/** What was found of one side. */
export interface SideFigures {
  readonly detail: string
  /** Rounds by what was asked for. */
  readonly kinds: ReadonlyMap<string, readonly LoadFigures[]>
  readonly memory: Memory
  /** Milliseconds of a swap. */
  readonly swap: Summary | null
}

const WIDTH = 36
const median = (rounds: readonly LoadFigures[], of: (round: LoadFigures) => number): number =>
  summarise(rounds.map(of)).median
const rate = (rounds: readonly LoadFigures[]): number => median(rounds, (round) => round.tokensPerSecond)

/** A line for each side and kind, and how it compares: with its side's first, and with the first side's same kind. */
export function serveTable(sides: ReadonlyMap<string, SideFigures>): string[] {
  const lines = [
    `${"".padEnd(WIDTH)}tokens/s   first token ms (p50 p95 p99)   between tokens ms (p50 p95 p99)   refused`,
  ]
  const [ours] = sides.values()
  for (const [label, { kinds }] of sides) {
    const [first] = kinds.values()
    for (const [kind, rounds] of kinds) {
      const same = ours!.kinds.get(kind)!
      const ratios = [
        ...(rounds === first ? [] : [`x ${(rate(rounds) / rate(first!)).toFixed(2)} of its base`]),
        ...(rounds === same ? [] : [`espalier x ${(rate(same) / rate(rounds)).toFixed(2)} of it`]),
      ]
      lines.push(`${`${label}, ${kind}`.padEnd(WIDTH)}${lineOf(rounds)}   ${ratios.join(", ")}`.trimEnd())
    }
  }
  lines.push("")
  for (const [label, { detail, memory, swap }] of sides) {
    const resident = `resident ${formatBytes(memory.resident_bytes)}, at the peak ${formatBytes(memory.peak_bytes)}`
    const swapped = swap
      ? `; a swap ${swap.median.toFixed(2)} ms (${swap.least.toFixed(2)} to ${swap.most.toFixed(2)})`
      : ""
    lines.push(`${label} (${detail}): ${resident}${swapped}`)
  }
  return lines
}

function lineOf(rounds: readonly LoadFigures[]): string {
  const spread = (of: "firstToken" | "betweenTokens"): string =>
    (["median", "p95", "p99"] as const).map((part) => median(rounds, (round) => round[of][part]).toFixed(1)).join(" ")
  const refused = rounds.reduce((sum, round) => sum + round.refused, 0)
  const parts = [rate(rounds).toFixed(1).padStart(8), spread("firstToken").padEnd(28)]
  return [...parts, spread("betweenTokens").padEnd(31), refused].join("   ")
}
