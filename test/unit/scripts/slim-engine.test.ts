/**
 * @module The engine without what is never called: functions that are kept work, others end the program; what was called is recorded.
 */
import { expect, test } from "bun:test"
import { directCalls } from "../../../scripts/engine/calls.ts"
import { calledIn, instrumented } from "../../../scripts/engine/instrument.ts"
import { hashOf, keepFunctions, slimEngine } from "../../../scripts/engine/slim.ts"
import { stockEngine } from "../../../scripts/engine/stock-engine.ts"
import { usedFunctions } from "../../../scripts/engine/used-functions.ts"
import { bodiesOf, importsOf } from "../../../scripts/engine/wasm-file.ts"

const text = (name: string): number[] => [name.length, ...new TextEncoder().encode(name)]
const section = (id: number, ...content: number[]): number[] => [id, content.length, ...content]

/** Imports `env.f`; `outer` calls it and `inner`, `inner` returns a global's 7 and `alone` its parameter and 1. */
const small = Uint8Array.from([
  ...[0, 0x61, 0x73, 0x6d, 1, 0, 0, 0],
  ...section(1, 2, 0x60, 0, 1, 0x7f, 0x60, 1, 0x7f, 1, 0x7f),
  ...section(2, 1, ...text("env"), ...text("f"), 0, 0),
  ...section(3, 3, 0, 0, 1),
  ...section(6, 1, 0x7f, 0, 0x41, 7, 0x0b),
  ...section(7, 3, ...text("outer"), 0, 1, ...text("inner"), 0, 2, ...text("alone"), 0, 3),
  ...section(
    10,
    ...[3, 7, 0, 0x10, 0, 0x10, 2, 0x6a, 0x0b],
    ...[4, 0, 0x23, 0, 0x0b],
    ...[14, 1, 1, 0x7f, 0x20, 0, 0x41, 1, 0x6a, 0x22, 1, 0x20, 1, 0x1a, 0x0b],
  ),
])

interface Small {
  outer(): number
  inner(): number
  alone(x: number): number
}

async function start(bytes: Uint8Array): Promise<{ readonly instance: WebAssembly.Instance; readonly f: Small }> {
  const { instance } = await WebAssembly.instantiate(bytes as Uint8Array<ArrayBuffer>, { env: { f: () => 35 } })
  return { instance, f: instance.exports as unknown as Small }
}

test("what is kept, and what that calls, works as before; the rest ends the program", async () => {
  const whole = await start(small)
  expect([whole.f.outer(), whole.f.inner(), whole.f.alone(4)]).toEqual([42, 7, 5])
  const { f } = await start(keepFunctions(small, [0]))
  expect([f.outer(), f.inner()]).toEqual([42, 7])
  expect(() => f.alone(4)).toThrow(WebAssembly.RuntimeError)
  const other = await start(keepFunctions(small, [2]))
  expect(other.f.alone(4)).toBe(5)
  expect(() => other.f.outer()).toThrow(WebAssembly.RuntimeError)
})

test("an instrumented module computes the same and knows what was called", async () => {
  const { instance, f } = await start(instrumented(small))
  expect(calledIn(instance)).toEqual([])
  expect(f.alone(4)).toBe(5)
  expect(calledIn(instance)).toEqual([2])
  expect(f.outer()).toBe(42)
  expect(calledIn(instance)).toEqual([0, 1, 2])
})

test("every function of the engine can be read, and each calls functions that there are", () => {
  const engine = stockEngine()
  const bodies = bodiesOf(engine)
  const all = bodies.length + importsOf(engine).functions
  const strangers = bodies.filter((body) => directCalls(engine, body).some((callee) => callee >= all))
  expect([bodies.length > 10_000, strangers]).toEqual([true, []])
})

test("what was recorded is of the engine that is installed, which is less than half without the rest", () => {
  const engine = stockEngine()
  expect(usedFunctions.engine).toBe(hashOf(engine))
  const slim = slimEngine(engine)
  expect(WebAssembly.validate(slim as Uint8Array<ArrayBuffer>)).toBe(true)
  expect(slim.length).toBeLessThan(0.55 * engine.length)
})

test("functions recorded of another engine are refused, with what to do", () => {
  expect(() => slimEngine(small)).toThrow("another version of onnxruntime-web")
})
