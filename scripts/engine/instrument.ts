/**
 * @module A WebAssembly module that remembers which of its functions were called, and which runs of its largest ones: each sets a
 * global of its own first, and the globals are exported.
 */
import {
  bodiesOf,
  codeSection,
  codeStart,
  countAndRest,
  encodeNumber,
  importsOf,
  SECTIONS,
  type Stretch,
  withSections,
} from "../../src/runtime/wasm-file.ts"
import { runsOf } from "./runs.ts"

/** What was called: functions by their place among those that the module defines, and by that place runs by their number. */
export interface Called {
  readonly functions: readonly number[]
  readonly runs: Readonly<Record<number, readonly number[]>>
}

const I32 = 0x7f
const [CONST, SET_GLOBAL, END, MUTABLE, GLOBAL_EXPORT] = [0x41, 0x24, 0x0b, 1, 3]

/** The module with a global for each function, and for each run of a function whose body has more than so many bytes. */
export function instrumented(module: Uint8Array, largeBytes: number): Uint8Array {
  const bodies = bodiesOf(module)
  const first = globalsOf(module)
  const names: string[] = []
  /** Sets the next global, which is exported under a name. */
  const mark = (name: string): Uint8Array =>
    Uint8Array.of(CONST, 1, SET_GLOBAL, ...encodeNumber(first + names.push(name) - 1))
  const marked = bodies.map((body, i) => {
    const places = isLarge(body, largeBytes) ? runsOf(module, body).map(({ at }) => at) : []
    const parts: Uint8Array[] = []
    let from = body.at
    for (const [run, at] of [codeStart(module, body), ...places].entries()) {
      parts.push(module.subarray(from, at), mark(run === 0 ? `${i}` : `${i}:${run - 1}`))
      from = at
    }
    return [...parts, module.subarray(from, body.end)]
  })
  return withGlobals(module, { prefix: PREFIX, type: I32, start: [CONST, 0, END], names }, codeSection(marked))
}

/** How many globals a module has: one that is added comes behind them. */
export const globalsOf = (module: Uint8Array): number =>
  importsOf(module).globals + countAndRest(module, SECTIONS.global).count

/** Globals that are added to a module. */
interface AddedGlobals {
  /** Each is exported as this and its name. */
  readonly prefix: string
  readonly names: readonly string[]
  /** Their type, and the code of what they begin with. */
  readonly type: number
  readonly start: readonly number[]
}

/** The module with globals added, and with code that uses them. */
export function withGlobals(
  module: Uint8Array,
  { prefix, names, type, start }: AddedGlobals,
  code: readonly Uint8Array[],
): Uint8Array {
  const globals = countAndRest(module, SECTIONS.global)
  const exports = countAndRest(module, SECTIONS.export)
  const first = globalsOf(module)
  const named = names.map((name, i) => {
    const text = new TextEncoder().encode(prefix + name)
    return Uint8Array.of(...encodeNumber(text.length), ...text, GLOBAL_EXPORT, ...encodeNumber(first + i))
  })
  const added = Uint8Array.of(type, MUTABLE, ...start)
  return withSections(
    module,
    new Map([
      [SECTIONS.global, [encodeNumber(globals.count + names.length), globals.rest, ...names.map(() => added)]],
      [SECTIONS.export, [encodeNumber(exports.count + names.length), exports.rest, ...named]],
      [SECTIONS.code, code],
    ]),
  )
}

/** What the globals are exported as, with the function's place behind it, and the run's number behind that. */
const PREFIX = "called:"

/** Whether runs of a body are looked at one by one. */
export const isLarge = ({ at, end }: Stretch, largeBytes: number): boolean => end - at > largeBytes

/** What an instance of an instrumented module has called. */
export function calledIn({ exports }: WebAssembly.Instance): Called {
  const functions: number[] = []
  const runs = new Map<number, number[]>()
  for (const [name, value] of Object.entries(exports)) {
    if (!name.startsWith(PREFIX) || (value as WebAssembly.Global).value !== 1) continue
    const [place, run] = name.slice(PREFIX.length).split(":").map(Number) as [number, number?]
    if (run === undefined) functions.push(place)
    else {
      const own = runs.get(place) ?? []
      own.push(run)
      runs.set(place, own)
    }
  }
  return { functions, runs: Object.fromEntries(runs) }
}
