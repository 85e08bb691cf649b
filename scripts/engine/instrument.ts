/**
 * @module A WebAssembly module that remembers which of its functions were called, and which runs of its largest ones: each sets a
 * global of its own first, and the globals are exported.
 */
import { runsOf } from "./runs.ts"
import {
  bodiesOf,
  codeSection,
  codeStart,
  encodeNumber,
  importsOf,
  SECTIONS,
  type Stretch,
  sectionOf,
  WasmReader,
  withSections,
} from "./wasm-file.ts"

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
  const globals = countAndRest(module, SECTIONS.global)
  const exports = countAndRest(module, SECTIONS.export)
  const first = importsOf(module).globals + globals.count
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
  const named = names.map((name, i) => {
    const text = new TextEncoder().encode(PREFIX + name)
    return Uint8Array.of(...encodeNumber(text.length), ...text, GLOBAL_EXPORT, ...encodeNumber(first + i))
  })
  const zero = Uint8Array.of(I32, MUTABLE, CONST, 0, END)
  return withSections(
    module,
    new Map([
      [SECTIONS.global, [encodeNumber(globals.count + names.length), globals.rest, ...names.map(() => zero)]],
      [SECTIONS.export, [encodeNumber(exports.count + names.length), exports.rest, ...named]],
      [SECTIONS.code, codeSection(marked)],
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

function countAndRest(module: Uint8Array, id: number): { readonly count: number; readonly rest: Uint8Array } {
  const { at, end } = sectionOf(module, id)
  const reader = new WasmReader(module, at)
  const count = reader.number()
  return { count, rest: module.subarray(reader.at, end) }
}
