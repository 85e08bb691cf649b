/**
 * @module `bun run scripts/engine/profile.ts`: records which functions of onnxruntime-web's engine this toolkit needs, in
 * `used-functions.ts`. It runs the tests of every operator, method and architecture over an engine that remembers what was called
 * (some three minutes), and is to be run when onnxruntime-web's version changes or a graph takes an operator that is new.
 */
import { spawnSync } from "node:child_process"
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { hashOf, slimEngine, type UsedFunctions } from "./slim.ts"
import { stockEngine } from "./stock-engine.ts"
import { bodiesOf } from "./wasm-file.ts"

const root = fileURLToPath(new URL("../..", import.meta.url))
const place = fileURLToPath(new URL("used-functions.ts", import.meta.url))
const folder = mkdtempSync(join(tmpdir(), "espalier-engine-"))
try {
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
  const called = JSON.parse(readFileSync(path, "utf8")) as number[]
  const stock = stockEngine()
  const all = bodiesOf(stock).length
  const bits = new Uint8Array(Math.ceil(all / 8))
  for (const i of called) bits[i >> 3]! |= 1 << (i & 7)
  const used: UsedFunctions = { engine: hashOf(stock), functions: Buffer.from(bits).toString("base64") }
  let text = readFileSync(place, "utf8")
  for (const [key, value] of Object.entries(used))
    text = text.replace(new RegExp(`(${key}:\\s+)"[^"]*"`), (_, name: string) => `${name}"${value}"`)
  writeFileSync(place, text)
  const slim = slimEngine(stock, used)
  console.log(`${called.length} of ${all} functions were called; ${slim.length} of ${stock.length} bytes are left`)
} finally {
  rmSync(folder, { recursive: true, force: true })
}
