/**
 * @module Loaded before tests by `profile.ts`: has onnxruntime-web's engine run instrumented, on one thread, and adds what it called
 * to the file that `ENGINE_PROFILE` names once a file of tests is through.
 */
import { afterAll } from "bun:test"
import { existsSync, readFileSync, writeFileSync } from "node:fs"
import { calledIn, instrumented } from "./instrument.ts"
import { stockEngine } from "./stock-engine.ts"

// Further threads would run instances of their own, which nobody asks.
Object.defineProperty(navigator, "hardwareConcurrency", { value: 1 })

const stock = stockEngine()
const engine = instrumented(stock)
const instances: WebAssembly.Instance[] = []
const instantiate = WebAssembly.instantiate as (
  source: Uint8Array,
  imports?: WebAssembly.Imports,
) => Promise<WebAssembly.WebAssemblyInstantiatedSource>
const replacement = async (source: Uint8Array, imports?: WebAssembly.Imports) => {
  if (source.length !== stock.length) return instantiate(source, imports)
  const made = await instantiate(engine, imports)
  instances.push(made.instance)
  return made
}
Object.assign(WebAssembly, { instantiate: replacement })

afterAll(() => {
  if (instances.length === 0) return
  const path = process.env["ENGINE_PROFILE"]!
  const called = new Set<number>(existsSync(path) ? JSON.parse(readFileSync(path, "utf8")) : [])
  for (const instance of instances) for (const i of calledIn(instance)) called.add(i)
  writeFileSync(path, JSON.stringify([...called]))
})
