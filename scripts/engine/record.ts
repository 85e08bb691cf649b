/**
 * @module Loaded before tests by `profile.ts`: has onnxruntime-web's engine run instrumented, on one thread, and adds what it called
 * to the file that `ENGINE_PROFILE` names once a file of tests is through.
 */
import { afterAll } from "bun:test"
import { existsSync, readFileSync, writeFileSync } from "node:fs"
import { type Called, calledIn, instrumented } from "./instrument.ts"
import { withWantedOperators } from "./operators.ts"
import { runInstead } from "./run-instead.ts"
import { LARGE_BYTES } from "./slim.ts"
import { stockEngine } from "./stock-engine.ts"

// Further threads would run instances of their own, which nobody asks.
Object.defineProperty(navigator, "hardwareConcurrency", { value: 1 })
const instances = runInstead(instrumented(withWantedOperators(stockEngine()), LARGE_BYTES))

afterAll(() => {
  if (instances.length === 0) return
  const path = process.env["ENGINE_PROFILE"]!
  const before = existsSync(path) ? [JSON.parse(readFileSync(path, "utf8")) as Called] : []
  writeFileSync(path, JSON.stringify(together([...before, ...instances.map(calledIn)])))
})

/** What any of them called. */
function together(all: readonly Called[]): Called {
  const runs: Record<string, number[]> = {}
  for (const { runs: own } of all)
    for (const [place, numbers] of Object.entries(own)) runs[place] = [...new Set([...(runs[place] ?? []), ...numbers])]
  return { functions: [...new Set(all.flatMap(({ functions }) => functions))], runs }
}
