/** @module A WebAssembly function's code as its instructions. */

import { codeStart, type Stretch, WasmReader } from "../../src/runtime/wasm-file.ts"
import { passOperands } from "./calls.ts"

/** An instruction, and the numbers that follow it, where it is followed by numbers alone; of vectors' the first, which says which. */
export interface Instruction extends Stretch {
  readonly code: number
  readonly numbers: readonly number[]
}

const [VECTORS, F32, F64] = [0xfd, 0x43, 0x44]

/** The instructions of a body. @throws {TypeError} For one that isn't known. */
export function instructionsOf(bytes: Uint8Array, body: Stretch): Instruction[] {
  const reader = new WasmReader(bytes, codeStart(bytes, body))
  const found: Instruction[] = []
  while (reader.at < body.end) {
    const at = reader.at
    const code = reader.byte()
    const operands = new WasmReader(bytes, reader.at)
    passOperands(reader, code)
    const numbers: number[] = []
    if (code === VECTORS) numbers.push(operands.number())
    else while (code !== F32 && code !== F64 && operands.at < reader.at) numbers.push(operands.number())
    found.push({ at, end: reader.at, code, numbers })
  }
  return found
}

/** A signed LEB128. */
export function encodeSigned(value: number): number[] {
  const bytes: number[] = []
  let rest = value
  while (true) {
    const low = rest & 0x7f
    rest >>= 7
    const isLast = (rest === 0 && !(low & 0x40)) || (rest === -1 && Boolean(low & 0x40))
    bytes.push(isLast ? low : low | 0x80)
    if (isLast) return bytes
  }
}
