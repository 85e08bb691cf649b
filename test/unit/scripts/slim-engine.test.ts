/**
 * @module The engine without what is never called: functions that are kept work, others end the program; what was called is recorded.
 */
import { expect, test } from "bun:test"
import { directCalls } from "../../../scripts/engine/calls.ts"
import { declarationsOf } from "../../../scripts/engine/declarations.ts"
import { declaredOperators } from "../../../scripts/engine/declared-operators.ts"
import { calledIn, instrumented } from "../../../scripts/engine/instrument.ts"
import { withWantedOperators } from "../../../scripts/engine/operators.ts"
import { runsOf } from "../../../scripts/engine/runs.ts"
import { fromBits, hashOf, keepFunctions, LARGE_BYTES, slimEngine, toBits } from "../../../scripts/engine/slim.ts"
import { splitLarge } from "../../../scripts/engine/split.ts"
import { stockEngine } from "../../../scripts/engine/stock-engine.ts"
import { usedFunctions } from "../../../scripts/engine/used-functions.ts"
import { bodiesOf, importsOf } from "../../../src/runtime/wasm-file.ts"

const text = (name: string): number[] => [name.length, ...new TextEncoder().encode(name)]
const body = (...code: number[]): number[] => [code.length, ...code]
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

/**
 * Imports `env.f`; `pick` returns 1 and f() of 1, 2 of 2, and f() of everything else; `sum` adds up the numbers below its parameter.
 */
const branching = Uint8Array.from([
  ...[0, 0x61, 0x73, 0x6d, 1, 0, 0, 0],
  ...section(1, 2, 0x60, 0, 1, 0x7f, 0x60, 1, 0x7f, 1, 0x7f),
  ...section(2, 1, ...text("env"), ...text("f"), 0, 0),
  ...section(3, 2, 1, 1),
  ...section(6, 0),
  ...section(7, 2, ...text("pick"), 0, 1, ...text("sum"), 0, 2),
  ...section(
    10,
    2,
    // block: if x == 1, 1 + f(); br_if x != 2 to its end; 2. Then f().
    ...body(
      ...[0, 0x20, 0, 0x41, 1, 0x46, 0x04, 0x7f, 0x10, 0, 0x41, 1, 0x6a, 0x05],
      ...[0x02, 0x40, 0x20, 0, 0x41, 2, 0x47, 0x0d, 0, 0x41, 2, 0x0f, 0x0b],
      ...[0x10, 0, 0x0b, 0x0b],
    ),
    // loop: x -= 1; s += x; br_if x. Then s.
    ...body(
      ...[1, 1, 0x7f, 0x03, 0x40, 0x20, 0, 0x41, 1, 0x6b, 0x22, 0, 0x20, 1, 0x6a, 0x21, 1],
      ...[0x20, 0, 0x0d, 0, 0x0b, 0x20, 1, 0x0b],
    ),
  ),
])

interface Branching {
  pick(x: number): number
  sum(x: number): number
}

interface Small {
  outer(): number
  inner(): number
  alone(x: number): number
}

async function start<T = Small>(
  bytes: Uint8Array,
): Promise<{ readonly instance: WebAssembly.Instance; readonly f: T }> {
  const { instance } = await WebAssembly.instantiate(bytes as Uint8Array<ArrayBuffer>, { env: { f: () => 35 } })
  return { instance, f: instance.exports as unknown as T }
}

test("what is kept, and what that calls, works as before; the rest ends the program", async () => {
  const whole = await start(small)
  expect([whole.f.outer(), whole.f.inner(), whole.f.alone(4)]).toEqual([42, 7, 5])
  const { f } = await start(keepFunctions(small, { functions: [0], runs: {} }))
  expect([f.outer(), f.inner()]).toEqual([42, 7])
  expect(() => f.alone(4)).toThrow(WebAssembly.RuntimeError)
  const other = await start(keepFunctions(small, { functions: [2], runs: {} }))
  expect(other.f.alone(4)).toBe(5)
  expect(() => other.f.outer()).toThrow(WebAssembly.RuntimeError)
})

test("an instrumented module computes the same and knows what was called", async () => {
  const { instance, f } = await start(instrumented(small, LARGE_BYTES))
  expect(calledIn(instance).functions).toEqual([])
  expect(f.alone(4)).toBe(5)
  expect(calledIn(instance).functions).toEqual([2])
  expect(f.outer()).toBe(42)
  expect(calledIn(instance)).toEqual({ functions: [0, 1, 2], runs: {} })
})

test("a large function is cut down to the runs that were executed, and what they alone called goes with the others", async () => {
  const whole = await start<Branching>(branching)
  expect([whole.f.pick(1), whole.f.pick(2), whole.f.pick(3), whole.f.sum(5)]).toEqual([36, 2, 35, 10])
  for (const asked of [[1], [2], [3], [1, 2], [2, 3], [1, 2, 3]]) {
    const { instance, f } = await start<Branching>(instrumented(branching, 0))
    expect([...asked.map((x) => f.pick(x)), f.sum(5)]).toEqual([...asked.map((x) => whole.f.pick(x)), 10])
    const cut = keepFunctions(branching, calledIn(instance))
    expect(cut.length).toBeLessThanOrEqual(branching.length)
    const { f: left } = await start<Branching>(cut)
    expect(left.sum(5)).toBe(10)
    for (const x of [1, 2, 3])
      if (asked.includes(x)) expect(left.pick(x)).toBe(whole.f.pick(x))
      else expect(() => left.pick(x)).toThrow(WebAssembly.RuntimeError)
  }
})

test("runs are where control may arrive or not", () => {
  const [pick, sum] = bodiesOf(branching).map((body) =>
    runsOf(branching, body).map(({ at, end }) => [at - body.at, end - body.at]),
  )
  // Behind if, else, br_if and the block's end; behind the loop's br_if there is nothing.
  expect(pick).toEqual([
    [8, 13],
    [14, 29],
    [23, 26],
    [27, 29],
  ])
  expect(sum).toHaveLength(1)
})

test("bits give the numbers that were set", () => {
  expect(fromBits(toBits([0, 7, 8, 19], 20))).toEqual([0, 7, 8, 19])
  expect(fromBits(toBits([], 20))).toEqual([])
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
  expect(slim.length).toBeLessThan(0.45 * engine.length)
})

test("functions recorded of another engine are refused, with what to do", () => {
  expect(() => slimEngine(small)).toThrow("another version of onnxruntime-web")
})

test("the engine declares the operators that are named, and the wanted ones stay", () => {
  const engine = stockEngine()
  const count = declarationsOf(engine, bodiesOf(engine)[declaredOperators.place]!).length
  expect([hashOf(engine), count]).toEqual([
    declaredOperators.engine,
    declaredOperators.operators.trim().split("\n").length,
  ])
  const cut = withWantedOperators(engine)
  expect(WebAssembly.validate(cut as Uint8Array<ArrayBuffer>)).toBe(true)
  const left = declarationsOf(cut, bodiesOf(cut)[declaredOperators.place]!).length
  expect([left > 60, left < 200]).toEqual([true, true])
})

/** `find` looks from its first parameter on for a number whose square is above the second, and gives it; beyond 9 it gives -1. */
const searching = Uint8Array.from([
  ...[0, 0x61, 0x73, 0x6d, 1, 0, 0, 0],
  ...section(1, 1, 0x60, 2, 0x7f, 0x7f, 1, 0x7f),
  ...section(2, 0),
  ...section(3, 1, 0),
  ...section(6, 0),
  ...section(7, 1, ...text("find"), 0, 0),
  ...section(
    10,
    1,
    ...body(
      // block outer: block found: loop: br_if x * x > y to found; x += 1; br_if x > 9 to outer; br loop. found: return x. Then -1.
      ...[0, 0x02, 0x40, 0x02, 0x40, 0x03, 0x40, 0x20, 0, 0x20, 0, 0x6c, 0x20, 1, 0x4a, 0x0d, 1],
      ...[0x20, 0, 0x41, 1, 0x6a, 0x21, 0, 0x20, 0, 0x41, 9, 0x4a, 0x0d, 2, 0x0c, 0, 0x0b, 0x0b],
      ...[0x20, 0, 0x0f, 0x0b, 0x41, 0x7f, 0x0b],
    ),
  ),
])

test("a function in parts computes the same, wherever its blocks are left for", async () => {
  interface Searching {
    find(from: number, above: number): number
  }
  const whole = await start<Searching>(searching)
  // The loop alone, and with the block around it.
  for (const part of [33, 36]) {
    const split = splitLarge(searching, { over: 0, part, least: 20 })
    expect(bodiesOf(split)).toHaveLength(2)
    const { f } = await start<Searching>(split)
    for (const [from, above] of [
      [1, 10],
      [3, 9],
      [9, 80],
      [9, 81],
      [0, 200],
      [12, 5],
    ] as const)
      expect(f.find(from, above)).toBe(whole.f.find(from, above))
  }
  const both = splitLarge(branching, { over: 0, part: 100, least: 4 })
  const { f } = await start<Branching>(both)
  expect(bodiesOf(both).length).toBeGreaterThan(2)
  expect([f.pick(1), f.pick(2), f.pick(3), f.sum(5)]).toEqual([36, 2, 35, 10])
  expect(splitLarge(branching, { over: 1000, part: 100, least: 4 }).length).toBeLessThan(branching.length + 8)
})
