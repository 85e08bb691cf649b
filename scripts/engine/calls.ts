/**
 * @module Which functions a WebAssembly function calls by their number, as opposed to through a table, and whether it uses its module's
 * segments: read off its code, instruction by instruction.
 */
import { codeStart, type Stretch, WasmReader } from "../../src/runtime/wasm-file.ts"

/**
 * Numbers of the functions that a body calls directly, as the module counts them (imports first).
 * @throws {TypeError} For an instruction that isn't known.
 */
export function directCalls(bytes: Uint8Array, body: Stretch): number[] {
  const reader = new WasmReader(bytes, codeStart(bytes, body))
  const called: number[] = []
  while (reader.at < body.end) {
    const code = reader.byte()
    if (code === 0x10) called.push(reader.number())
    else passOperands(reader, code)
  }
  if (reader.at !== body.end) throw new TypeError("Expected a function's code to end with its body")
  return called
}

/**
 * Whether a function has segments of its module copied or dropped.
 * @throws {TypeError} For one that makes references to functions, which a module has to declare.
 */
export function usesSegments(bytes: Uint8Array, body: Stretch): boolean {
  const reader = new WasmReader(bytes, codeStart(bytes, body))
  while (reader.at < body.end) {
    const code = reader.byte()
    // memory.init, data.drop, table.init, elem.drop
    if (code === 0xfc && [8, 9, 12, 13].includes(bytes[reader.at]!)) return true
    if (code === 0xd2) throw new TypeError("Expected a function without references to others")
    passOperands(reader, code)
  }
  return false
}

/** How many numbers follow an instruction; those with other operands are {@link passOperands}' own. */
const numbersAfter: Readonly<Record<number, number>> = {
  // block, loop, if: a type; br, br_if: a depth
  ...{ 2: 1, 3: 1, 4: 1, 12: 1, 13: 1 },
  // call, call_indirect
  ...{ 16: 1, 17: 2 },
  // ref.null, ref.func
  ...{ 208: 1, 210: 1 },
  // memory.size, memory.grow, i32.const, i64.const
  ...{ 63: 1, 64: 1, 65: 1, 66: 1 },
}

/** Passes over what follows an instruction. @throws {TypeError} For one that isn't known. */
export function passOperands(reader: WasmReader, code: number): void {
  const known = numbersAfter[code]
  if (known !== undefined) reader.numbers(known)
  // local.get to table.set: a number; loads and stores: alignment and offset
  else if (code >= 0x20 && code <= 0x26) reader.numbers(1)
  else if (code >= 0x28 && code <= 0x3e) reader.numbers(2)
  // br_table: depths and a default
  else if (code === 0x0e) reader.numbers(reader.number() + 1)
  // select with types
  else if (code === 0x1c) reader.skip(reader.number())
  else if (code === 0x43) reader.skip(4)
  else if (code === 0x44) reader.skip(8)
  else if (code === 0xfc) passBulk(reader, reader.number())
  else if (code === 0xfd) passVector(reader, reader.number())
  else if (code === 0xfe) passAtomic(reader, reader.number())
  else if (!isPlain(code)) throw new TypeError(`Expected a WebAssembly instruction but found 0x${code.toString(16)}`)
}

/** Instructions without operands: control (unreachable, nop, else, end, return), drop, select, and all of arithmetic. */
const isPlain = (code: number): boolean =>
  [0x00, 0x01, 0x05, 0x0b, 0x0f, 0x1a, 0x1b, 0xd1].includes(code) || (code >= 0x45 && code <= 0xc4)

/** Saturating conversions have no operands; memory.init, memory.copy, table.init and table.copy two, the others one. */
function passBulk(reader: WasmReader, code: number): void {
  if (code > 7) reader.numbers([8, 10, 12, 14].includes(code) ? 2 : 1)
}

function passVector(reader: WasmReader, code: number): void {
  // Loads and stores; of one lane: its number as well.
  if (code <= 11 || (code >= 84 && code <= 93)) reader.numbers(2)
  if (code >= 84 && code <= 91) reader.skip(1)
  // v128.const, i8x16.shuffle
  else if (code === 12 || code === 13) reader.skip(16)
  // extract_lane, replace_lane
  else if (code >= 21 && code <= 34) reader.skip(1)
}

/** atomic.fence has a byte, all others an alignment and an offset. */
function passAtomic(reader: WasmReader, code: number): void {
  if (code === 3) reader.skip(1)
  else reader.numbers(2)
}
