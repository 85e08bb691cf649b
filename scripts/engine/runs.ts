/**
 * @module The runs of a WebAssembly function: stretches of its code that are executed from their beginning or not at all, as far as
 * its branches decide. What was never begun can be cut out: control flow is structured, so nothing jumps into its middle.
 */

import { codeStart, type Stretch, WasmReader } from "../../src/runtime/wasm-file.ts"
import { passOperands } from "./calls.ts"

/** A run, from its first instruction to the `end` or `else` of the block that it lies in. */
export type Run = Stretch

const [BLOCK, LOOP, IF, ELSE, END, BRANCH_IF] = [0x02, 0x03, 0x04, 0x05, 0x0b, 0x0d]
const UNREACHABLE = Uint8Array.of(0x00)

/** Runs of a body in the order of their beginnings: behind an `if`, an `else`, an `end` and a branch that may not be taken. */
export function runsOf(bytes: Uint8Array, body: Stretch): Run[] {
  const reader = new WasmReader(bytes, codeStart(bytes, body))
  const runs: { at: number; end: number }[] = []
  /** Runs whose block is still open, a list for each block. */
  const open: { at: number; end: number }[][] = [[]]
  const close = (end: number): void => {
    for (const run of open.pop()!) run.end = end
  }
  while (reader.at < body.end) {
    const place = reader.at
    const code = reader.byte()
    passOperands(reader, code)
    if (code === END || code === ELSE) close(place)
    if (code === BLOCK || code === LOOP || code === IF || code === ELSE) open.push([])
    if (![IF, ELSE, END, BRANCH_IF].includes(code) || reader.at >= body.end) continue
    // One that is empty has nothing to be cut out.
    if (bytes[reader.at] === END || bytes[reader.at] === ELSE) continue
    const run = { at: reader.at, end: body.end }
    runs.push(run)
    open.at(-1)!.push(run)
  }
  return runs
}

/** A body without the runs that aren't wanted: each ends the program in its place. @param isWanted by a run's number */
export function withoutRuns(bytes: Uint8Array, body: Stretch, isWanted: (run: number) => boolean): Uint8Array[] {
  const parts: Uint8Array[] = []
  let at = body.at
  for (const [i, run] of runsOf(bytes, body).entries()) {
    // Within one that is gone already.
    if (run.at < at || isWanted(i)) continue
    parts.push(bytes.subarray(at, run.at), UNREACHABLE)
    at = run.end
  }
  parts.push(bytes.subarray(at, body.end))
  return parts
}
