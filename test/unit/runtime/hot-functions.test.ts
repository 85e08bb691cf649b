/**
 * @module The functions that are compiled before anything runs, as they were recorded.
 */
import { expect, test } from "bun:test"
import { usesSegments } from "../../../scripts/engine/calls.ts"
import { fromBits } from "../../../scripts/engine/slim.ts"
import { stockEngine } from "../../../scripts/engine/stock-engine.ts"
import { sha256Hex } from "../../../src/core/hash.ts"
import { hotFunctions } from "../../../src/runtime/hot-functions.ts"
import { splitEngine } from "../../../src/runtime/split-engine.ts"
import { bodiesOf, outlineOf } from "../../../src/runtime/wasm-file.ts"

test("what was recorded is of the engine that is installed, whose two parts are valid", async () => {
  const engine = stockEngine()
  expect(hotFunctions.engineBytes).toBe(engine.length)
  expect(hotFunctions.outline).toBe(await sha256Hex(outlineOf(engine)))
  const hot = new Set(fromBits(hotFunctions.functions))
  const strangers = bodiesOf(engine).flatMap((body, i) => (usesSegments(engine, body) && !hot.has(i) ? [i] : []))
  expect(strangers).toEqual([])
  const split = splitEngine(engine, Uint8Array.from(Buffer.from(hotFunctions.functions, "base64")))!
  expect(split.hot.length).toBeLessThan(0.45 * engine.length)
  for (const part of [split.hot, split.cold()]) expect(WebAssembly.validate(part as Uint8Array<ArrayBuffer>)).toBe(true)
})
