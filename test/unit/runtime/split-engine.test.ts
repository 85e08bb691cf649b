/**
 * @module A module in two parts computes what the whole does, wherever the cut lies, and the cold part is loaded when it is called.
 */
import { expect, test } from "bun:test"
import { toBits } from "../../../scripts/engine/slim.ts"
import { sha256Hex } from "../../../src/core/hash.ts"
import { splitEngine } from "../../../src/runtime/split-engine.ts"
import { instantiateSplit } from "../../../src/runtime/split-wasm.ts"
import { outlineOf } from "../../../src/runtime/wasm-file.ts"
import { countCompiled } from "../../support/compiled-modules.ts"

const text = (name: string): number[] => [name.length, ...new TextEncoder().encode(name)]
const body = (...code: number[]): number[] => [code.length + 2, 0, ...code, 0x0b]
const section = (id: number, ...content: number[]): number[] => [id, content.length, ...content]
const [I32, F64] = [0x7f, 0x7c]

interface Sections {
  readonly imports?: readonly number[]
  readonly table?: readonly number[]
  readonly memory?: readonly number[]
  readonly globals?: readonly number[]
}

/**
 * Imports `env.f`, function 0, and a memory, and has a table of [null, seven, eight] and a global that begins as -3:
 * `outer` calls `inner` and adds the global, which `inner` sets; `through` calls the table's entry; `mixed` has two parameters;
 * `deep` throws what `env.f` throws when it is asked to; the start function adds 10 to the global.
 */
const moduleOf = ({
  imports = [2, ...text("env"), ...text("f"), 0, 1, ...text("env"), ...text("memory"), 2, 0, 1],
  table = [1, 0x70, 1, 3, 3],
  memory = [],
  globals = [1, I32, 1, 0x41, 0x7d, 0x0b],
}: Sections = {}): Uint8Array<ArrayBuffer> =>
  Uint8Array.from([
    ...[0, 0x61, 0x73, 0x6d, 1, 0, 0, 0],
    ...section(1, 4, 0x60, 0, 0, 0x60, 1, I32, 1, I32, 0x60, 0, 1, I32, 0x60, 2, I32, F64, 1, F64),
    ...section(2, ...imports),
    ...section(3, 8, 1, 1, 1, 2, 2, 3, 1, 0),
    ...section(4, ...table),
    ...(memory.length > 0 ? section(5, ...memory) : []),
    ...section(6, ...globals),
    ...section(
      7,
      ...[7, ...text("outer"), 0, 1, ...text("inner"), 0, 2, ...text("through"), 0, 3, ...text("seven"), 0, 4],
      ...[...text("mixed"), 0, 6, ...text("deep"), 0, 7, ...text("table"), 1, 0],
    ),
    ...section(8, 8),
    ...section(9, 1, 0, 0x41, 1, 0x0b, 2, 4, 5),
    ...section(
      10,
      8,
      // outer: inner(x) + global
      ...body(0x20, 0, 0x10, 2, 0x23, 0, 0x6a),
      // inner: memory[0] = global = x; f(x) * 2
      ...body(0x20, 0, 0x24, 0, 0x41, 0, 0x20, 0, 0x36, 2, 0, 0x20, 0, 0x10, 0, 0x41, 2, 0x6c),
      // through: table[x]()
      ...body(0x20, 0, 0x11, 2, 0),
      ...body(0x41, 7),
      // eight: seven() + 1
      ...body(0x10, 4, 0x41, 1, 0x6a),
      // mixed: y + f64(x)
      ...body(0x20, 1, 0x20, 0, 0xb7, 0xa0),
      // deep: outer(x) + memory[0]
      ...body(0x20, 0, 0x10, 1, 0x41, 0, 0x28, 2, 0, 0x6a),
      ...body(0x23, 0, 0x41, 10, 0x6a, 0x24, 0),
    ),
  ])

const FUNCTIONS = ["outer", "inner", "through", "seven", "eight", "mixed", "deep", "start"]
const COUNT = FUNCTIONS.length

interface Exports {
  outer(x: number): number
  inner(x: number): number
  through(i: number): number
  seven(): number
  mixed(x: number, y: number): number
  deep(x: number): number
  readonly table: WebAssembly.Table
}

const imports = (): WebAssembly.Imports => ({
  env: {
    f: (x: number) => {
      if (x === 99) throw new RangeError("Asked to")
      return x + 100
    },
    memory: new WebAssembly.Memory({ initial: 1 }),
  },
})

/** What was recorded of a module. */
const recordedOf = async (module: Uint8Array, hot: readonly number[]) => ({
  engineBytes: module.length,
  outline: await sha256Hex(outlineOf(module)),
  functions: toBits(hot, COUNT),
})

const errorOf = (action: () => unknown): string => {
  try {
    return `${action()}`
  } catch (error) {
    return (error as Error).constructor.name
  }
}

/** Everything that a module does, in an order in which each call leaves something to the next. */
function answersOf(instance: WebAssembly.Instance): unknown[] {
  const f = instance.exports as unknown as Exports
  return [
    [f.outer(4), f.inner(5), f.mixed(2, 0.5), f.seven()],
    [f.through(1), f.through(2), errorOf(() => f.through(0))],
    [errorOf(() => f.deep(99)), f.deep(6), f.outer(-7)],
    [(f.table.get(1) as () => number)(), (f.table.get(2) as () => number)(), f.table.get(0)],
  ]
}

test("a module cut anywhere computes what the whole does", async () => {
  const module = moduleOf()
  const whole = answersOf((await WebAssembly.instantiate(module, imports())).instance)
  expect(whole[0]).toEqual([212, 210, 2.5, 7])
  expect(whole[2]).toEqual(["RangeError", 224, 179])
  for (let cut = 0; cut < 2 ** COUNT; cut++) {
    const hot = FUNCTIONS.flatMap((_, i) => ((cut >> i) & 1 ? [i] : []))
    const split = await instantiateSplit(module, imports(), await recordedOf(module, hot))
    expect([hot, answersOf(split!.instance)]).toEqual([hot, whole])
  }
  // Compiling 512 modules waits for a compiler's threads, which have all cores in use where other tests run.
}, 60_000)

test("the cold part is compiled once, when something in it is first called, by number, through the table or from outside", async () => {
  const module = moduleOf()
  const cases: readonly (readonly [cold: string, first: (f: Exports) => unknown, value: unknown])[] = [
    ["inner", (f) => f.outer(4), 212],
    ["eight", (f) => f.through(2), 8],
    ["mixed", (f) => f.mixed(1, 1), 2],
  ]
  for (const [cold, first, value] of cases) {
    const compiled = countCompiled(100)
    try {
      const hot = FUNCTIONS.flatMap((name, i) => (name === cold ? [] : [i]))
      const { instance } = (await instantiateSplit(module, imports(), await recordedOf(module, hot)))!
      const f = instance.exports as unknown as Exports
      expect([f.seven(), compiled.count()]).toEqual([7, 0])
      expect([first(f), compiled.count()]).toEqual([value, 1])
      expect([first(f), compiled.count()]).toEqual([value, 1])
    } finally {
      compiled.stop()
    }
  }
})

test("a module that isn't made so, or isn't the one recorded, is left whole", async () => {
  const hot = Uint8Array.of(0xff)
  expect(splitEngine(moduleOf(), hot)).not.toBeNull()
  expect(splitEngine(moduleOf(), Uint8Array.of(0xff, 0))).toBeNull()
  const env = [...text("env"), ...text("f"), 0, 1]
  const others: readonly Sections[] = [
    { imports: [1, ...env], memory: [1, 0, 1] },
    { imports: [2, ...env, ...text("env"), ...text("g"), 3, I32, 0], globals: [1, I32, 1, 0x41, 0x7d, 0x0b] },
    { imports: [2, ...env, ...text("env"), ...text("t"), 1, 0x70, 0, 3] },
    { table: [1, 0x70, 0, 3] },
    { table: [1, 0x70, 1, 3, 9] },
    { table: [2, 0x70, 1, 3, 3, 0x70, 1, 3, 3] },
    { globals: [1, 0x7e, 1, 0x42, 0x7d, 0x0b] },
  ]
  for (const each of others) expect([each, splitEngine(moduleOf(each), hot)]).toEqual([each, null])
  const recorded = await recordedOf(moduleOf(), [])
  expect(await instantiateSplit(moduleOf(), imports(), { ...recorded, outline: "" })).toBeNull()
})
