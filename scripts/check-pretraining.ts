/**
 * @module Checks that the embedded base can be made again: the first updates of its pre-training, run anew, follow the
 * recorded curve; and run twice, they give the same losses to the last bit.
 *
 * Usage: bun run scripts/check-pretraining.ts [updates]
 */
import { mkdtemp, readFile, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import process from "node:process"
import { readCurve } from "./base/curve.ts"
import { bundled, pretraining } from "./base/pretraining.ts"

/** Updates that are made a second time. */
const AGAIN = 100
/** Updates over which a mean is compared. */
const WINDOW = 20
/** Relative difference of a mean: other processors round otherwise, and what differs early grows. */
const TOLERANCE = 0.03

async function losses(updates: number): Promise<number[]> {
  const folder = await mkdtemp(join(tmpdir(), "espalier-pretraining-"))
  const run = await pretraining(bundled)
  const stop = new AbortController()
  const found: number[] = []
  try {
    await run.run({
      folder,
      resume: false,
      signal: stop.signal,
      onEvent(event) {
        if (event.type !== "step-end") return
        found.push(event.loss)
        if (event.step >= updates) stop.abort()
      },
    })
  } finally {
    await run.dispose()
    await rm(folder, { recursive: true, force: true })
  }
  return found
}

const mean = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length

const updates = Number(process.argv[2] ?? 200)
const curve = readCurve(await readFile(new URL("../models/sprig/curve.jsonl", import.meta.url), "utf8"))
const recorded = curve.flatMap((point) => ("loss" in point ? [point] : []))
const first = await losses(updates)
let wrong = 0
for (let from = 0; from + WINDOW <= updates; from += WINDOW) {
  const then = mean(recorded.filter(({ step }) => step > from && step <= from + WINDOW).map(({ loss }) => loss))
  const now = mean(first.slice(from, from + WINDOW))
  const isNear = Math.abs(now - then) <= TOLERANCE * then
  if (!isNear) wrong++
  const updatesText = `${from + 1} to ${from + WINDOW}`.padEnd(12)
  console.log(`${updatesText} recorded ${then.toFixed(4)}  now ${now.toFixed(4)}${isNear ? "" : "  differs"}`)
}
const second = await losses(AGAIN)
const isSame = second.every((loss, i) => loss === first[i])
if (!isSame) wrong++
console.log(
  isSame ? `The first ${AGAIN} losses come again to the last bit` : "The same run gave other losses the second time",
)
process.exitCode = wrong === 0 ? 0 : 1
