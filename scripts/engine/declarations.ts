/**
 * @module The declarations of operators in ONNX Runtime's engine: one function that makes a schema for each operator and hands it
 * to a `std::function`, one after the other, some 700 times. What is handed over is seen by that call; what lies between two of them
 * makes one operator known, and can be left out for one that no graph names.
 */
import { concatBytes } from "../../src/core/bytes.ts"
import { codeStart, encodeNumber, type Stretch } from "../../src/runtime/wasm-file.ts"
import { encodeSigned, type Instruction, instructionsOf } from "./instructions.ts"

/** The making of one operator's schema, from behind the one before it to where it is destroyed. */
export interface Declaration extends Stretch {
  /** The local that points to the schema, and where its handing over begins. */
  readonly schema: number
  readonly call: number
  /** What it leaves in locals that are read later. Null where that can't be told: then it has to stay. */
  readonly leaves: readonly Uint8Array[] | null
}

const [BLOCK, LOOP, IF, ELSE, END, BR, BR_IF, BR_TABLE, RETURN, UNREACHABLE] = [2, 3, 4, 5, 11, 12, 13, 14, 15, 0]
const [CALL, CALL_INDIRECT, DROP, GET, SET, TEE, SET_GLOBAL, LOAD, CONST, ADD] = [
  0x10, 0x11, 0x1a, 0x20, 0x21, 0x22, 0x24, 0x28, 0x41, 0x6a,
]
/** Where the vtable of a `std::function`'s value has its call operator. */
const CALL_SLOT = 24

/** Declarations of a body, in their order. */
export function declarationsOf(bytes: Uint8Array, body: Stretch): Declaration[] {
  const code = instructionsOf(bytes, body)
  const depths = depthsOf(code)
  const live = liveBefore(code)
  const found: Declaration[] = []
  let from = 0
  for (let i = 0; i < code.length; i++) {
    const schema = handedOver(code, i)
    if (schema === null) continue
    const end = i + HANDING_OVER.length
    const isWhole = from > 0 && isAlone(code.slice(from, end), depths.slice(from, end + 1))
    found.push({
      at: from > 0 ? code[from]!.at : codeStart(bytes, body),
      end: code[end]!.at,
      ...{ schema, call: code[i + 5]!.at },
      leaves: isWhole ? leavesOf(code, depths, from, end, live[end]!) : null,
    })
    from = end
  }
  return found
}

/** A body without these declarations. @param isWanted by a declaration's number */
export function withoutDeclarations(
  bytes: Uint8Array,
  body: Stretch,
  isWanted: (declaration: number) => boolean,
): Uint8Array[] {
  const parts: Uint8Array[] = []
  let at = body.at
  for (const [i, { at: from, end, leaves }] of declarationsOf(bytes, body).entries()) {
    if (leaves === null || isWanted(i)) continue
    parts.push(bytes.subarray(at, from), ...leaves)
    at = end
  }
  return [...parts, bytes.subarray(at, body.end)]
}

/** How many blocks are open before each instruction. */
function depthsOf(code: readonly Instruction[]): number[] {
  let depth = 0
  return code.map(({ code }) => {
    const before = depth
    if (code === BLOCK || code === LOOP || code === IF) depth++
    if (code === END) depth--
    return before
  })
}

/** f(schema), and the schema's end: what comes of `fn(GetOpSchema<Operator>())`. */
const HANDING_OVER = [GET, GET, GET, LOAD, LOAD, CALL_INDIRECT, GET, CALL, DROP] as const

/** The local of the schema that is handed over from an instruction on, or null. */
function handedOver(code: readonly Instruction[], from: number): number | null {
  if (HANDING_OVER.some((each, i) => code[from + i]?.code !== each)) return null
  const [f, schema, again, , slot, , destroyed] = code.slice(from, from + HANDING_OVER.length) as [
    Instruction,
    Instruction,
    Instruction,
    Instruction,
    Instruction,
    Instruction,
    Instruction,
  ]
  const isCall = f.numbers[0] === again.numbers[0] && slot.numbers[1] === CALL_SLOT
  return isCall && schema.numbers[0] === destroyed.numbers[0] ? schema.numbers[0]! : null
}

/**
 * Whether code does nothing but declare: it lies within one block, and doesn't begin with what lies between two lists of operators,
 * the end of a `std::function` and the making of the next, which is a block.
 */
const isAlone = (code: readonly Instruction[], depths: readonly number[]): boolean =>
  depths[0] === depths.at(-1) &&
  depths.every((depth) => depth >= depths[0]!) &&
  code.every(({ code }) => code !== SET_GLOBAL) &&
  code[0]!.code !== BLOCK

/** Locals that are read before they are written again, as bits, before each instruction. */
function liveBefore(code: readonly Instruction[]): bigint[] {
  const before = new Array<bigint>(code.length).fill(0n)
  for (let isSettled = false; !isSettled; ) {
    isSettled = true
    let live = 0n
    /** Blocks that are open, the innermost last: what is live where a branch to them goes, at their end and in their `else`. */
    const open: { branch: bigint; end: bigint; other: bigint | null }[] = [{ branch: 0n, end: 0n, other: null }]
    const starts = startsOfEnds(code)
    for (let i = code.length - 1; i >= 0; i--) {
      const { code: op, numbers } = code[i]!
      const target = (depth: number): bigint => open.at(-1 - depth)!.branch
      if (op === END && i < code.length - 1) {
        const start = starts.get(i)!
        open.push({ branch: code[start]!.code === LOOP ? before[start]! : live, end: live, other: null })
      } else if (op === ELSE) {
        open.at(-1)!.other = live
        live = open.at(-1)!.end
      } else if (op === BLOCK || op === LOOP) open.pop()
      else if (op === IF) {
        const { other, end } = open.pop()!
        live |= other ?? end
      } else if (op === BR) live = target(numbers[0]!)
      else if (op === BR_IF) live |= target(numbers[0]!)
      else if (op === BR_TABLE) live = numbers.slice(1).reduce((all, depth) => all | target(depth), 0n)
      else if (op === RETURN || op === UNREACHABLE) live = 0n
      else if (op === GET) live |= 1n << BigInt(numbers[0]!)
      else if (op === SET || op === TEE) live &= ~(1n << BigInt(numbers[0]!))
      // What a loop needs at its beginning is known to its branches in the next pass.
      if (op === LOOP && before[i] !== live) isSettled = false
      before[i] = live
    }
  }
  return before
}

/** The beginning of each block, by its end. */
function startsOfEnds(code: readonly Instruction[]): Map<number, number> {
  const starts = new Map<number, number>()
  const open: number[] = []
  for (const [i, { code: op }] of code.entries()) {
    if (op === BLOCK || op === LOOP || op === IF) open.push(i)
    if (op === END && open.length > 0) starts.set(i, open.pop()!)
  }
  return starts
}

/** What a local holds at some point: another's value at the beginning, if any, and a number. */
interface Known {
  readonly local: number | null
  readonly added: number
}

/**
 * Code that leaves the locals that are live as the instructions from `from` to `end` do. Null if one is left with what only they can
 * compute.
 */
function leavesOf(
  code: readonly Instruction[],
  depths: readonly number[],
  from: number,
  end: number,
  live: bigint,
): Uint8Array[] | null {
  const values = new Map<number, Known | null>()
  const held = (local: number): Known | null => (values.has(local) ? values.get(local)! : { local, added: 0 })
  for (let i = from; i < end; i++) {
    const { code: op, numbers } = code[i]!
    if (op !== SET && op !== TEE) continue
    const known = depths[i] === depths[from] ? pushedBefore(code, i, held) : null
    values.set(numbers[0]!, known)
  }
  const left = [...values].filter(([local]) => (live >> BigInt(local)) & 1n)
  if (left.some(([, known]) => known === null)) return null
  const pushes = left.map(([, known]) => pushOf(known!))
  return [...pushes, ...left.reverse().map(([local]) => Uint8Array.of(SET, ...encodeNumber(local)))]
}

/** What the instructions right before one push, where that is a local, a number or both together. */
function pushedBefore(code: readonly Instruction[], i: number, held: (local: number) => Known | null): Known | null {
  const [third, second, first] = [code[i - 3]!, code[i - 2]!, code[i - 1]!]
  if (first.code === CONST) return { local: null, added: signed(first.numbers[0]!, first) }
  if (first.code === GET || first.code === TEE) return first.code === GET ? held(first.numbers[0]!) : null
  if (first.code !== ADD || second.code !== CONST || third.code !== GET) return null
  const base = held(third.numbers[0]!)
  return base && { ...base, added: base.added + signed(second.numbers[0]!, second) }
}

/** A signed LEB128 that was read as an unsigned one. */
function signed(value: number, { at, end }: Stretch): number {
  const bits = 7 * (end - at - 1)
  return value >= 2 ** (bits - 1) ? value - 2 ** bits : value
}

function pushOf({ local, added }: Known): Uint8Array {
  const number = Uint8Array.of(CONST, ...encodeSigned(added))
  if (local === null) return number
  const get = Uint8Array.of(GET, ...encodeNumber(local))
  return added === 0 ? get : concatBytes([get, number, Uint8Array.of(ADD)])
}
