/**
 * @module `bench sprig`: what the embedded base is held to, on fresh held-out items: reading with and without the passage,
 * abstaining, skills; and what its int8 form loses of them.
 */

import { join } from "node:path"
import { defineCommand, exitCodes, type OptionValues } from "../../src/cli/command.ts"
import { count, seeds } from "../../src/cli/number-range.ts"
import { packageFolder } from "../../src/cli/shared-options.ts"
import { rng } from "../../src/core/rng.ts"
import { type FamilyScore, type SuiteScores, scoreSuite } from "../../src/eval/score-suite.ts"
import { readSuite } from "../../src/eval/suite.ts"
import { openBase } from "../../src/presets/open-base.ts"
import { openRuntime } from "../../src/presets/open-runtime.ts"
import { graphDecoder } from "../../src/serve/graph-decoder.ts"
import { closedBookQuestion } from "../corpus/reading.ts"
import { suiteFile } from "../make-suite.ts"
import { machine, machineLine } from "./machine.ts"

const options = {
  items: { type: "number", range: count(1e6), description: "items of a family", default: "300" },
  seed: { type: "number", range: seeds, description: "another seed gives other items", default: "2" },
  base: { type: "string", value: "folder", description: "the base", default: "the embedded one" },
} as const
type Values = OptionValues<typeof options>

const CLOSED_BOOK = "closed-book"

/** A figure in percent with what it is held to. */
interface Bar {
  readonly name: string
  readonly found: number
  readonly bound: number
  readonly kind: "least" | "most"
}

/** What is asked of each family, in percent. */
const least: Readonly<Record<string, number>> = {
  "reading-1": 95,
  "reading-4": 90,
  unknown: 90,
  sentiment: 95,
  list: 95,
  extraction: 95,
  case: 95,
  fact: 95,
  reversal: 95,
  sum: 90,
}

/** The suite's items and questions of reading without their passages, as a suite's bytes. */
function suiteBytes(seed: number, items: number): Uint8Array {
  const draw = { random: rng(seed, `bench:${CLOSED_BOOK}`), split: "heldout" as const }
  const closed = Array.from({ length: items }, () => {
    const { question, answer } = closedBookQuestion(draw)
    return `${JSON.stringify({ family: CLOSED_BOOK, messages: [{ role: "user", content: question }], answer })}\n`
  })
  return new TextEncoder().encode(suiteFile({ seed, items, texts: items }) + closed.join(""))
}

function barsOf({ families }: SuiteScores): Bar[] {
  const of = (name: string): FamilyScore => families.find(({ family }) => family === name)!
  const readings = families.filter(({ family }) => family.startsWith("reading-"))
  const abstained = readings.reduce((sum, each) => sum + each.abstained, 0) / readings.length
  return [
    ...Object.entries(least).map(([name, bound]) => ({
      name,
      found: 100 * of(name).exact,
      bound,
      kind: "least" as const,
    })),
    { name: "false abstention over passages that answer", found: 100 * abstained, bound: 5, kind: "most" },
    { name: "right without the passage", found: 100 * of(CLOSED_BOOK).exact, bound: 2, kind: "most" },
  ]
}

/** Counts come as quotients: a point is a point to within their rounding. */
const ROUNDING = 1e-9
const isMet = ({ found, bound, kind }: Bar): boolean =>
  kind === "least" ? found >= bound - ROUNDING : found <= bound + ROUNDING

export const sprigBench = defineCommand({
  name: "sprig",
  summary: "What the embedded base is held to, on fresh held-out items, and what its int8 form loses of it.",
  usage: "[options]",
  options,
  examples: ["npm run bench -- sprig", "npm run bench -- sprig --items 50 --json"],
  async run(given, _positionals, io) {
    const values = given as Values & { readonly json?: boolean }
    const before = machine()
    const folder = values.base ?? join(packageFolder(), "models", "sprig")
    const suite = await readSuite("bench", suiteBytes(values.seed ?? 2, values.items ?? 300))
    const { runtime } = await openRuntime("native")
    const scores: SuiteScores[] = []
    for (const quantize of [null, "int8"] as const) {
      const { base, tokenizer, eosIds } = await openBase(folder, quantize ? { quantize } : {})
      const decoder = await graphDecoder({ runtime, base })
      scores.push(await scoreSuite(suite.items, { decoder, tokenizer: tokenizer!, eosIds, adapter: null }))
      await decoder.dispose()
    }
    await runtime.dispose()
    const [f32, int8] = scores as [SuiteScores, SuiteScores]
    const bars = barsOf(f32)
    const lost = f32.families.map(({ family, exact }, i) => ({ family, lost: 100 * (exact - int8.families[i]!.exact) }))
    const worst = lost.reduce((a, b) => (b.lost > a.lost ? b : a))
    bars.push({ name: `lost to int8 at most, in points (${worst.family})`, found: worst.lost, bound: 1, kind: "most" })
    if (values.json) {
      io.out(`${JSON.stringify({ bench: "sprig", machine: before, bars, f32, int8 })}\n`)
      return exitCodes.ok
    }
    const line = (bar: Bar): string =>
      `${bar.name.padEnd(46)} ${bar.found.toFixed(1).padStart(6)}   ${bar.kind === "least" ? "at least" : "at most "} ${String(bar.bound).padStart(3)}   ${isMet(bar) ? "met" : "MISSED"}`
    io.out(
      [
        machineLine(before),
        `${values.items ?? 300} items a family, in percent`,
        "",
        ...bars.map(line),
        "",
        ...f32.families.map(
          ({ family, exact, abstained }, i) =>
            `${family.padEnd(16)} exact ${(100 * exact).toFixed(1).padStart(5)}  abstained ${(100 * abstained).toFixed(1).padStart(5)}  int8 ${(100 * int8.families[i]!.exact).toFixed(1).padStart(5)}`,
        ),
        `perplexity of held-out texts ${f32.text!.perplexity.toFixed(3)}, int8 ${int8.text!.perplexity.toFixed(3)}`,
        "",
      ].join("\n"),
    )
    return exitCodes.ok
  },
})
