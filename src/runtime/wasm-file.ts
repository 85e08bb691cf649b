/**
 * @module A WebAssembly module as its sections and function bodies, taken apart and put together again: as much of the binary
 * format as it takes to leave functions out of one, and to see which of them are called.
 */
import { concatBytes } from "../core/bytes.ts"

/** Ids of the sections that are looked into. */
export const SECTIONS = {
  type: 1,
  import: 2,
  function: 3,
  table: 4,
  memory: 5,
  global: 6,
  export: 7,
  start: 8,
  element: 9,
  code: 10,
  data: 11,
  dataCount: 12,
} as const

/** A stretch of the module. */
export interface Stretch {
  readonly at: number
  readonly end: number
}

/** Reads a module's bytes from a place on. */
export class WasmReader {
  readonly #bytes: Uint8Array
  at: number

  constructor(bytes: Uint8Array, at: number) {
    this.#bytes = bytes
    this.at = at
  }

  byte(): number {
    return this.#bytes[this.at++]!
  }

  /** An unsigned LEB128, or the right number of bytes of a signed one. */
  number(): number {
    let [value, factor, byte] = [0, 1, 0]
    do {
      byte = this.byte()
      value += (byte & 0x7f) * factor
      factor *= 128
    } while (byte & 0x80)
    return value
  }

  /** A signed LEB128 of at most 32 bits. */
  signed(): number {
    const from = this.at
    const value = this.number()
    const bits = 7 * (this.at - from)
    return bits < 32 ? (value << (32 - bits)) >> (32 - bits) : value | 0
  }

  skip(bytes: number): void {
    this.at += bytes
  }

  /** Passes over so many numbers. */
  numbers(count: number): void {
    for (let i = 0; i < count; i++) this.number()
  }
}

/** An unsigned LEB128. */
export function encodeNumber(value: number): Uint8Array {
  const bytes: number[] = []
  let rest = value
  do {
    const low = rest % 128
    rest = Math.floor(rest / 128)
    bytes.push(rest > 0 ? low | 0x80 : low)
  } while (rest > 0)
  return Uint8Array.from(bytes)
}

/** Contents of the sections, in their order. */
export function sectionsOf(bytes: Uint8Array): readonly (Stretch & { readonly id: number })[] {
  const reader = new WasmReader(bytes, 8)
  const found: (Stretch & { readonly id: number })[] = []
  while (reader.at < bytes.length) {
    const id = reader.byte()
    const length = reader.number()
    found.push({ id, at: reader.at, end: reader.at + length })
    reader.skip(length)
  }
  return found
}

/** Contents of one section. @throws {TypeError} If the module has none. */
export function sectionOf(bytes: Uint8Array, id: number): Stretch {
  const found = sectionsOf(bytes).find((section) => section.id === id)
  if (!found) throw new TypeError(`Expected a WebAssembly module with a section ${id}`)
  return found
}

/** How many entries a section has, and its bytes behind that number. */
export function countAndRest(module: Uint8Array, id: number): { readonly count: number; readonly rest: Uint8Array } {
  const { at, end } = sectionOf(module, id)
  const reader = new WasmReader(module, at)
  const count = reader.number()
  return { count, rest: module.subarray(reader.at, end) }
}

/** The bodies of the functions that the module defines: their locals and code. */
export function bodiesOf(bytes: Uint8Array): readonly Stretch[] {
  const reader = new WasmReader(bytes, sectionOf(bytes, SECTIONS.code).at)
  return Array.from({ length: reader.number() }, () => {
    const length = reader.number()
    const at = reader.at
    reader.skip(length)
    return { at, end: at + length }
  })
}

/** All that says what is in a module but for code and data: whose it is, in few bytes. */
export function outlineOf(bytes: Uint8Array): Uint8Array {
  const [code, data]: readonly number[] = [SECTIONS.code, SECTIONS.data]
  const parts = sectionsOf(bytes).filter(({ id }) => id !== code && id !== data)
  return concatBytes(parts.map(({ at, end }) => bytes.subarray(at, end)))
}

/** How many functions, tables and globals are imported: those that are defined are numbered behind them. */
export function importsOf(bytes: Uint8Array): {
  readonly functions: number
  readonly tables: number
  readonly globals: number
} {
  const reader = new WasmReader(bytes, sectionOf(bytes, SECTIONS.import).at)
  let [functions, tables, globals] = [0, 0, 0]
  const limits = () => reader.numbers(reader.number() & 1 ? 2 : 1)
  for (let count = reader.number(); count > 0; count--) {
    for (const _ of ["module", "name"]) reader.skip(reader.number())
    const kind = reader.byte()
    if (kind === 0) functions++
    if (kind === 1) tables++
    if (kind === 3) globals++
    if (kind === 0) reader.number()
    else if (kind === 2) limits()
    else if (kind === 3) reader.skip(2)
    else {
      reader.skip(1)
      if (kind === 1) limits()
      else reader.number()
    }
  }
  return { functions, tables, globals }
}

/** Where the code of a body begins, behind its locals. */
export function codeStart(bytes: Uint8Array, { at }: Stretch): number {
  const reader = new WasmReader(bytes, at)
  for (let groups = reader.number(); groups > 0; groups--) {
    reader.number()
    reader.skip(1)
  }
  return reader.at
}

/** Puts the module together with other contents for some sections, each given in parts. */
export function withSections(bytes: Uint8Array, contents: ReadonlyMap<number, readonly Uint8Array[]>): Uint8Array {
  const parts: Uint8Array[] = [bytes.subarray(0, 8)]
  for (const { id, at, end } of sectionsOf(bytes)) {
    const content = contents.get(id) ?? [bytes.subarray(at, end)]
    parts.push(Uint8Array.of(id), encodeNumber(lengthOf(content)), ...content)
  }
  return concatBytes(parts)
}

/** A code section of these bodies, each given in parts. */
export function codeSection(bodies: readonly (readonly Uint8Array[])[]): Uint8Array[] {
  const parts: Uint8Array[] = [encodeNumber(bodies.length)]
  for (const body of bodies) parts.push(encodeNumber(lengthOf(body)), ...body)
  return parts
}

const lengthOf = (parts: readonly Uint8Array[]): number => parts.reduce((sum, { length }) => sum + length, 0)
