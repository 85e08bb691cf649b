/**
 * @module A WebAssembly module as two, of which the second is loaded when one of its functions is first called: what is
 * compiled before anything runs is the first alone.
 *
 *     hot module                            cold module
 *     f (hot)   its own code                f   calls slot of f
 *     g (cold)  load, call slot of g        g   its own code
 *               \____________ table ____________/
 *
 * Types, imports, functions, globals and the table are numbered alike in both and in the whole, so code is copied as it is; only
 * what says where a function lies is new. Both import the table and the globals, which are made here. The table's own entries
 * stay: behind them lie a slot for the loader and one for each function, which whichever module has its code fills. So a call
 * arrives at a function's code from wherever it comes: by number, through a pointer, or from JavaScript.
 *
 * Binaryen's wasm-split does the same at build time, with names for slots:
 * https://github.com/WebAssembly/binaryen/blob/main/src/tools/wasm-split/wasm-split.cpp
 */
import { concatBytes, encodeUtf8 } from "../core/bytes.ts"
import { encodeNumber, importsOf, SECTIONS, type Stretch, sectionsOf, WasmReader } from "./wasm-file.ts"

/** A module in two, not compiled yet. */
export interface SplitEngine {
  readonly hot: Uint8Array
  /** Puts the other module together. */
  cold(): Uint8Array
  /** Entries of the table that both import. */
  readonly tableSize: number
  /** The table's entry in which `() -> ()` is called to have the cold module loaded. */
  readonly loaderSlot: number
  /** The module's globals as they begin. The last is not the module's: it is 1 until the cold module is loaded. */
  readonly globals: readonly GlobalStart[]
}

/** An i32 as it is declared. */
export interface GlobalStart {
  readonly mutable: boolean
  readonly value: number
}

/** The module name under which the table, `table`, and the globals, by their number, are imported. */
export const SHARED = "espalier"

/** Types, and instructions. */
const [I32, FUNCREF, EMPTY_BLOCK] = [0x7f, 0x70, 0x40]
const [END, IF, CALL_INDIRECT, GET_LOCAL, GET_GLOBAL, CONST] = [0x0b, 0x04, 0x11, 0x20, 0x23, 0x41]
const TABLE = 0
/** Numbers of functions and slots are written in three bytes each, slots as signed ones; those of types have two at most. */
const [MOST, MOST_TYPES] = [2 ** 20, 2 ** 14]

/** What of a module the split needs to know. */
interface Layout {
  readonly module: Uint8Array
  readonly section: (id: number) => Stretch | undefined
  /** Functions that are imported, and those that are defined: they are numbered behind the others. */
  readonly imported: number
  readonly defined: number
  /** Parameters by type; the type `() -> ()`. */
  readonly parameters: readonly number[]
  readonly plainType: number
  readonly tableSize: number
  readonly globals: readonly GlobalStart[]
}

/** A function by its place among those that are defined: a bit each, the lowest of each byte first. */
export type FunctionBits = Uint8Array

/**
 * Splits a module.
 * @param hot the functions that the first module is to have. Those with `memory.init`, `data.drop` and their like for tables must
 *   be among them: only the first module has segments of its own.
 * @returns null for a module that isn't made as this needs it: an imported memory or none, one table of its own, plain globals
 */
export function splitEngine(module: Uint8Array, hot: FunctionBits): SplitEngine | null {
  const layout = layoutOf(module)
  if (!layout || hot.length !== Math.ceil(layout.defined / 8)) return null
  const { tableSize, globals, defined, plainType } = layout
  const loaderSlot = tableSize
  const slots = { hot: loaderSlot + 1, cold: loaderSlot + 1 + bitsSet(hot) }
  const size = slots.hot + defined
  if (layout.imported + defined > MOST || size > MOST || layout.parameters.length > MOST_TYPES) return null
  const all = [...globals, { mutable: true, value: 1 }]
  const load = [
    ...[GET_GLOBAL, ...encodeNumber(globals.length), IF, EMPTY_BLOCK, CONST, ...threeBytes(loaderSlot)],
    ...[CALL_INDIRECT, ...encodeNumber(plainType), TABLE, END],
  ]
  const imports = importSection(layout, size, all)
  return {
    hot: partOf(layout, hot, 1, { imports, own: slots.hot, others: slots.cold, before: load }),
    cold: () => partOf(layout, hot, 0, { imports, own: slots.cold, others: slots.hot, before: [] }),
    tableSize: size,
    loaderSlot,
    globals: all,
  }
}

function bitsSet(bits: Uint8Array): number {
  let count = 0
  for (let i = 0; i < 8 * bits.length; i++) count += (bits[i >> 3]! >> (i & 7)) & 1
  return count
}

function layoutOf(module: Uint8Array): Layout | null {
  const sections = sectionsOf(module)
  const section = (id: number): Stretch | undefined => sections.find((each) => each.id === id)
  const known = new Set<number>([0, ...Object.values(SECTIONS)])
  const needed = [SECTIONS.type, SECTIONS.import, SECTIONS.function, SECTIONS.table, SECTIONS.code]
  // A memory of its own would be another one in each; what is not known might be numbered, too.
  if (section(SECTIONS.memory) || sections.some(({ id }) => !known.has(id)) || needed.some((id) => !section(id)))
    return null
  const [parameters, plainType] = parametersOf(new WasmReader(module, section(SECTIONS.type)!.at))
  const tableSize = tableSizeOf(new WasmReader(module, section(SECTIONS.table)!.at))
  const { functions: imported, globals: importedGlobals, tables } = importsOf(module)
  const ofGlobals = section(SECTIONS.global)
  const globals = ofGlobals ? globalsOf(module, ofGlobals) : []
  if (plainType < 0 || tableSize === null || tables + importedGlobals > 0 || globals === null) return null
  const defined = new WasmReader(module, section(SECTIONS.function)!.at).number()
  return { module, section, imported, defined, parameters, plainType, tableSize, globals }
}

/** How many parameters each type has, and which has neither any nor a result, or -1. */
function parametersOf(reader: WasmReader): [number[], number] {
  const parameters: number[] = []
  let plain = -1
  for (let count = reader.number(); count > 0; count--) {
    reader.skip(1)
    const taken = reader.number()
    reader.skip(taken)
    const given = reader.number()
    reader.skip(given)
    if (taken + given === 0) plain = parameters.length
    parameters.push(taken)
  }
  return [parameters, plain]
}

/** Entries of the one table of functions; null where there are other tables, or the table may grow. */
function tableSizeOf(reader: WasmReader): number | null {
  const [count, type, hasMost] = [reader.number(), reader.byte(), reader.byte()]
  const least = reader.number()
  return count === 1 && type === FUNCREF && hasMost === 1 && reader.number() === least ? least : null
}

/** The globals; null where one is not an i32 that begins as a constant. */
function globalsOf(module: Uint8Array, { at }: Stretch): GlobalStart[] | null {
  const reader = new WasmReader(module, at)
  const globals: GlobalStart[] = []
  for (let count = reader.number(); count > 0; count--) {
    const [type, mutable, code] = [reader.byte(), reader.byte() === 1, reader.byte()]
    if (type !== I32 || code !== CONST) return null
    globals.push({ mutable, value: reader.signed() })
    if (reader.byte() !== END) return null
  }
  return globals
}

const name = (text: string): number[] => {
  const bytes = encodeUtf8(text)
  return [...encodeNumber(bytes.length), ...bytes]
}

/** The module's imports, and behind them the table and all globals. */
function importSection({ module, section }: Layout, size: number, globals: readonly GlobalStart[]): Uint8Array[] {
  const { at, end } = section(SECTIONS.import)!
  const reader = new WasmReader(module, at)
  const count = reader.number() + 1 + globals.length
  const entries = encodeNumber(size)
  return sectionBytes(SECTIONS.import, [
    encodeNumber(count),
    module.subarray(reader.at, end),
    Uint8Array.of(
      ...[...name(SHARED), ...name("table"), 1, FUNCREF, 1, ...entries, ...entries],
      ...globals.flatMap(({ mutable }, i) => [...name(SHARED), ...name(`${i}`), 3, I32, mutable ? 1 : 0]),
    ),
  ])
}

/** What a module is made with, beside its own bodies. */
interface Part {
  readonly imports: readonly Uint8Array[]
  /** The first slot of the functions whose code is in this module, and of the others. */
  readonly own: number
  readonly others: number
  /** Code before a call of the others. */
  readonly before: readonly number[]
}

/** One of the two modules. @param kind the bit of the functions that are its own: 1 in the hot module, which has all but code too */
function partOf(layout: Layout, hot: FunctionBits, kind: 0 | 1, part: Part): Uint8Array {
  const { module, section } = layout
  const copied = (id: number): readonly Uint8Array[] => {
    const found = section(id)
    return found ? sectionBytes(id, [module.subarray(found.at, found.end)]) : []
  }
  const onlyHot = (...ids: readonly number[]) => (kind === 1 ? ids.flatMap(copied) : [])
  const { code, functions } = codeOf(layout, hot, kind, part)
  return concatBytes([
    module.subarray(0, 8),
    ...copied(SECTIONS.type),
    ...part.imports,
    ...copied(SECTIONS.function),
    ...onlyHot(SECTIONS.export, SECTIONS.start),
    ...elementSection(layout, kind === 1 ? section(SECTIONS.element) : undefined, part.own, functions),
    ...onlyHot(SECTIONS.dataCount),
    ...sectionBytes(SECTIONS.code, code),
    ...onlyHot(SECTIONS.data),
  ])
}

/** Element segments: those given, and one that fills slots. @param functions their numbers, of three bytes each */
function elementSection(
  { module }: Layout,
  given: Stretch | undefined,
  first: number,
  functions: Uint8Array,
): Uint8Array[] {
  const reader = given && new WasmReader(module, given.at)
  const before = reader ? reader.number() : 0
  return sectionBytes(SECTIONS.element, [
    encodeNumber(before + 1),
    ...(reader ? [module.subarray(reader.at, given!.end)] : []),
    Uint8Array.of(0, CONST, ...threeBytes(first), END),
    encodeNumber(functions.length / 3),
    functions,
  ])
}

/**
 * The bodies, counted, in parts: whole for the functions that are the module's own; every other hands its parameters on to its slot.
 * One pass over all functions, without a call for each: nothing is compiled before it is through.
 * @returns also the own functions' numbers, of three bytes each
 */
function codeOf(
  { module, section, parameters, imported, defined }: Layout,
  hot: FunctionBits,
  kind: 0 | 1,
  { others, before }: Part,
): { readonly code: readonly Uint8Array[]; readonly functions: Uint8Array } {
  const templates = parameters.map((count, type) => stubOf(count, type, before))
  const stubs = new Uint8Array(defined * Math.max(...templates.map(({ bytes }) => bytes.length)))
  const functions = new Uint8Array(3 * defined)
  const code: Uint8Array[] = [encodeNumber(defined)]
  let typeAt = behindCount(module, section(SECTIONS.function)!)
  let at = behindCount(module, section(SECTIONS.code)!)
  let slot = others
  let stubsAt = 0
  let functionsAt = 0
  /** The stretch of bodies, or of stubs, that goes on: whose functions they are, and where it began. */
  let stretch = -1
  let from = 0
  for (let i = 0; i <= defined; i++) {
    const isOwn = i === defined ? -1 : ((hot[i >> 3]! >> (i & 7)) & 1) === kind ? 1 : 0
    if (isOwn !== stretch) {
      if (stretch === 1) code.push(module.subarray(from, at))
      if (stretch === 0) code.push(stubs.subarray(from, stubsAt))
      stretch = isOwn
      from = isOwn === 1 ? at : stubsAt
    }
    if (i === defined) break
    let type = module[typeAt++]!
    if (type > 0x7f) type = (type & 0x7f) | (module[typeAt++]! << 7)
    let byte = module[at++]!
    let length = byte & 0x7f
    for (let shift = 7; byte > 0x7f; shift += 7) {
      byte = module[at++]!
      length |= (byte & 0x7f) << shift
    }
    at += length
    if (isOwn === 1) {
      const number = imported + i
      functions[functionsAt] = (number & 0x7f) | 0x80
      functions[functionsAt + 1] = ((number >> 7) & 0x7f) | 0x80
      functions[functionsAt + 2] = number >> 14
      functionsAt += 3
      continue
    }
    const { bytes, slotAt } = templates[type]!
    stubs.set(bytes, stubsAt)
    stubs[stubsAt + slotAt] = (slot & 0x7f) | 0x80
    stubs[stubsAt + slotAt + 1] = ((slot >> 7) & 0x7f) | 0x80
    stubs[stubsAt + slotAt + 2] = slot >> 14
    stubsAt += bytes.length
    slot++
  }
  return { code, functions: functions.subarray(0, functionsAt) }
}

function behindCount(module: Uint8Array, { at }: Stretch): number {
  const reader = new WasmReader(module, at)
  reader.number()
  return reader.at
}

/** A function that hands its parameters on to a slot that is yet to be written, with its length before it. */
function stubOf(parameters: number, type: number, before: readonly number[]): { bytes: Uint8Array; slotAt: number } {
  const gets = Array.from({ length: parameters }, (_, i) => [GET_LOCAL, ...encodeNumber(i)]).flat()
  const start = [0, ...before, ...gets, CONST]
  const body = [...start, 0, 0, 0, CALL_INDIRECT, ...encodeNumber(type), TABLE, END]
  const length = encodeNumber(body.length)
  return { bytes: Uint8Array.of(...length, ...body), slotAt: length.length + start.length }
}

/** A number as a LEB128 of three bytes, signed or not. */
const threeBytes = (value: number): number[] => [(value & 0x7f) | 0x80, ((value >> 7) & 0x7f) | 0x80, value >> 14]

function sectionBytes(id: number, content: readonly Uint8Array[]): Uint8Array[] {
  return [Uint8Array.of(id), encodeNumber(content.reduce((sum, { length }) => sum + length, 0)), ...content]
}
