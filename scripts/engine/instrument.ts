/**
 * @module A WebAssembly module that remembers which of its functions were called: each sets a global of its own first, and the
 * globals are exported.
 */
import {
  bodiesOf,
  codeSection,
  codeStart,
  encodeNumber,
  importsOf,
  SECTIONS,
  sectionOf,
  WasmReader,
  withSections,
} from "./wasm-file.ts"

/** What the globals are exported as, with the function's place behind it. */
const PREFIX = "called:"
const I32 = 0x7f
const [CONST, SET_GLOBAL, END, MUTABLE, GLOBAL_EXPORT] = [0x41, 0x24, 0x0b, 1, 3]

/** The module with a global for each function. */
export function instrumented(module: Uint8Array): Uint8Array {
  const bodies = bodiesOf(module)
  const globals = countAndRest(module, SECTIONS.global)
  const exports = countAndRest(module, SECTIONS.export)
  const first = importsOf(module).globals + globals.count
  const zero = Uint8Array.of(I32, MUTABLE, CONST, 0, END)
  const named = bodies.map((_, i) => {
    const name = new TextEncoder().encode(`${PREFIX}${i}`)
    return Uint8Array.of(...encodeNumber(name.length), ...name, GLOBAL_EXPORT, ...encodeNumber(first + i))
  })
  const marked = bodies.map((body, i) => {
    const start = codeStart(module, body)
    const mark = Uint8Array.of(CONST, 1, SET_GLOBAL, ...encodeNumber(first + i))
    return [module.subarray(body.at, start), mark, module.subarray(start, body.end)]
  })
  return withSections(
    module,
    new Map([
      [SECTIONS.global, [encodeNumber(globals.count + bodies.length), globals.rest, ...bodies.map(() => zero)]],
      [SECTIONS.export, [encodeNumber(exports.count + bodies.length), exports.rest, ...named]],
      [SECTIONS.code, codeSection(marked)],
    ]),
  )
}

/** Places of the functions that an instance of an instrumented module has called. */
export const calledIn = ({ exports }: WebAssembly.Instance): number[] =>
  Object.entries(exports).flatMap(([name, value]) =>
    name.startsWith(PREFIX) && (value as WebAssembly.Global).value === 1 ? [Number(name.slice(PREFIX.length))] : [],
  )

function countAndRest(module: Uint8Array, id: number): { readonly count: number; readonly rest: Uint8Array } {
  const { at, end } = sectionOf(module, id)
  const reader = new WasmReader(module, at)
  const count = reader.number()
  return { count, rest: module.subarray(reader.at, end) }
}
