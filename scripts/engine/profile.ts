/**
 * @module `bun run scripts/engine/profile.ts`: records which functions of onnxruntime-web's engine this toolkit needs, in
 * `used-functions.ts`. It runs the tests of every operator, method and architecture over an engine that remembers what was called
 * (a minute or two), and is to be run when onnxruntime-web's version changes, a graph takes an operator that is new or a session a
 * setting that is.
 */
import { spawnSync } from "node:child_process"
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { bodiesOf } from "../../src/runtime/wasm-file.ts"
import { type Called, isLarge } from "./instrument.ts"
import { runsOf } from "./runs.ts"
import { hashOf, LARGE_BYTES, slimEngine, toBits, type UsedFunctions } from "./slim.ts"
import { stockEngine } from "./stock-engine.ts"

const root = fileURLToPath(new URL("../..", import.meta.url))
const place = fileURLToPath(new URL("used-functions.ts", import.meta.url))
const folder = mkdtempSync(join(tmpdir(), "espalier-engine-"))
try {
  // What it writes is a part of `operators.ts`.
  const named = spawnSync("bun", ["run", fileURLToPath(new URL("name-declarations.ts", import.meta.url))], {
    stdio: "inherit",
  })
  if (named.status !== 0) throw new Error("The engine's operators could not be named")
  const { withWantedOperators } = await import("./operators.ts")
  const path = join(folder, "called.json")
  const preload = fileURLToPath(new URL("record.ts", import.meta.url))
  const { status } = spawnSync(
    "bun",
    ["test", "--only-failures", "--preload", preload, "test/backend", "test/parity"],
    {
      cwd: root,
      stdio: "inherit",
      env: { ...process.env, ENGINE_PROFILE: path },
    },
  )
  if (status !== 0) throw new Error("A test failed: what was recorded may lack something")
  const called = JSON.parse(readFileSync(path, "utf8")) as Called
  const stock = stockEngine()
  const engine = withWantedOperators(stock)
  const bodies = bodiesOf(engine)
  const runs = bodies.flatMap((body, i) =>
    isLarge(body, LARGE_BYTES) ? [[i, toBits(called.runs[i] ?? [], runsOf(engine, body).length)] as const] : [],
  )
  const used: UsedFunctions = {
    engine: hashOf(stock),
    functions: toBits(called.functions, bodies.length),
    runs: Object.fromEntries(runs),
  }
  writeFileSync(place, usedFunctionsModule(used))
  spawnSync("biome", ["format", "--write", place], { cwd: root })
  const slim = slimEngine(stock, used)
  console.log(
    `${called.functions.length} of ${bodies.length} functions were called; ${slim.length} of ${stock.length} bytes are left`,
  )
} finally {
  rmSync(folder, { recursive: true, force: true })
}

/** The module that holds what was recorded. */
function usedFunctionsModule({ engine, functions, runs }: UsedFunctions): string {
  const lines = Object.entries(runs).map(([i, bits]) => `    ${i}:\n      "${bits}",`)
  return `/**
 * @module What of onnxruntime-web's engine this toolkit's graphs execute, as \`profile.ts\` recorded it.
 */
import type { UsedFunctions } from "./slim.ts"

/** sha256 of the engine in hex, a bit for each function that it defines, and for each run of its largest ones. */
export const usedFunctions: UsedFunctions = {
  engine: "${engine}",
  functions:
    "${functions}",
  runs: {
${lines.join("\n")}
  },
}
`
}
