/**
 * @module Large functions in parts: V8 optimises a function whole, and takes up to 400 times its size for that. A block or a loop
 * within one becomes a function of its own, with the locals handed over in globals, which are read at once where they arrive; where
 * the block was left for is what it returns.
 */
import { concatBytes } from "../../src/core/bytes.ts"
import {
  bodiesOf,
  codeSection,
  countAndRest,
  encodeNumber,
  importsOf,
  SECTIONS,
  type Stretch,
  WasmReader,
  withSections,
} from "../../src/runtime/wasm-file.ts"
import { encodeSigned, type Instruction, instructionsOf } from "./instructions.ts"
import { globalsOf } from "./instrument.ts"

/** How large things are, in bytes. */
export interface SplitSizes {
  /** Functions that have more are split. */
  readonly over: number
  /** Parts have no more, where the function's blocks allow it. */
  readonly part: number
  /** Parts have as many at least: what is smaller isn't worth a call. */
  readonly least: number
}
const SIZES: SplitSizes = { over: 8 * 1024, part: 8 * 1024, least: 1024 }

const [BLOCK, LOOP, IF, END, BR, BR_IF, BR_TABLE, RETURN] = [2, 3, 4, 11, 12, 13, 14, 15]
const [CALL, DROP, GET, SET, TEE, GET_GLOBAL, SET_GLOBAL, CONST] = [0x10, 0x1a, 0x20, 0x21, 0x22, 0x23, 0x24, 0x41]
const [VOID, VECTORS, I32, FUNCTION, MUTABLE] = [0x40, 0xfd, 0x7f, 0x60, 1]
/** Types of values, each with the code that a global of it begins with. */
const starts: Readonly<Record<number, readonly number[]>> = {
  127: [0x41, 0],
  126: [0x42, 0],
  125: [0x43, 0, 0, 0, 0],
  124: [0x44, 0, 0, 0, 0, 0, 0, 0, 0],
  123: [VECTORS, 12, ...new Array<number>(16).fill(0)],
}

/** The module with its large functions in parts; but for those that compute with vectors, where a call would be felt. */
export function splitLarge(module: Uint8Array, sizes: SplitSizes = SIZES): Uint8Array {
  const types = typesOf(module)
  const signatures = countAndRest(module, SECTIONS.type)
  const functions = countAndRest(module, SECTIONS.function)
  const globals = countAndRest(module, SECTIONS.global)
  const bodies = bodiesOf(module)
  const pool = new GlobalPool(globalsOf(module))
  const parts: Uint8Array[] = []
  const first = importsOf(module).functions + bodies.length
  const add = (part: Uint8Array): number => first + parts.push(part) - 1
  const whole = bodies.map((body, i) =>
    body.end - body.at > sizes.over
      ? new Splitter(module, body, { parameters: types[i]!, sizes, pool, add }).body()
      : module.subarray(body.at, body.end),
  )
  return withSections(
    module,
    new Map([
      [SECTIONS.type, [encodeNumber(signatures.count + 1), signatures.rest, Uint8Array.of(FUNCTION, 0, 1, I32)]],
      [
        SECTIONS.function,
        [
          encodeNumber(functions.count + parts.length),
          functions.rest,
          ...parts.map(() => encodeNumber(signatures.count)),
        ],
      ],
      [SECTIONS.global, [encodeNumber(globals.count + pool.types.length), globals.rest, ...pool.types.map(globalOf)]],
      [SECTIONS.code, codeSection([...whole, ...parts].map((code) => [code]))],
    ]),
  )
}

const globalOf = (type: number): Uint8Array => Uint8Array.of(type, MUTABLE, ...starts[type]!, END)

/** Globals that locals are handed over in, as many of each type as the fullest handing over needs. */
class GlobalPool {
  readonly #first: number
  /** Their types, in order. */
  readonly types: number[] = []

  constructor(first: number) {
    this.#first = first
  }

  /** A global for each of these types, no two the same. */
  take(types: readonly number[]): number[] {
    const free = this.types.map((type, i) => ({ type, i }))
    return types.map((type) => {
      const at = free.findIndex((each) => each.type === type)
      if (at >= 0) return this.#first + free.splice(at, 1)[0]!.i
      return this.#first + this.types.push(type) - 1
    })
  }
}

/** A block or loop, by its first and last instruction. */
interface Region {
  readonly from: number
  readonly to: number
}

/** What one function is split by, and into. */
interface SplitInto {
  /** Types of its parameters. */
  readonly parameters: readonly number[]
  readonly sizes: SplitSizes
  readonly pool: GlobalPool
  /** Takes a part, and gives the number of the function that it becomes. */
  add(part: Uint8Array): number
}

/** Splits one function. */
class Splitter {
  readonly #module: Uint8Array
  readonly #body: Stretch
  readonly #locals: readonly number[]
  readonly #sizes: SplitSizes
  readonly #pool: GlobalPool
  readonly #add: (part: Uint8Array) => number
  readonly #code: readonly Instruction[]
  /** The end of each block, loop and if, by its beginning. */
  readonly #ends = new Map<number, number>()
  /** The blocks around each instruction, the innermost last. */
  readonly #around: (readonly number[])[] = []

  constructor(module: Uint8Array, body: Stretch, { parameters, sizes, pool, add }: SplitInto) {
    this.#module = module
    this.#body = body
    this.#locals = [...parameters, ...localsOf(module, body)]
    this.#sizes = sizes
    this.#pool = pool
    this.#add = add
    this.#code = instructionsOf(module, body)
    let open: readonly number[] = []
    for (const [i, { code }] of this.#code.entries()) {
      this.#around.push(open)
      if (code === BLOCK || code === LOOP || code === IF) open = [...open, i]
      else if (code === END && open.length > 0) {
        this.#ends.set(open.at(-1)!, i)
        open = open.slice(0, -1)
      }
    }
  }

  /** The function's body, without what has become parts. */
  body(): Uint8Array {
    const { at, end } = this.#body
    if (this.#code.some(isArithmetic)) return this.#module.subarray(at, end)
    return concatBytes([this.#module.subarray(at, this.#code[0]!.at), this.#rewritten(0, this.#code.length)])
  }

  /** Code from one instruction to another, with calls in place of the blocks in it that have become parts. */
  #rewritten(from: number, to: number): Uint8Array {
    const pieces: Uint8Array[] = []
    let at = this.#code[from]?.at ?? this.#body.end
    for (let i = from; i < to; i++) {
      const end = this.#ends.get(i)
      if (end === undefined || this.#bytes(i, end + 1) < this.#sizes.least) {
        if (end !== undefined) i = end
        continue
      }
      pieces.push(this.#module.subarray(at, this.#code[i]!.at), this.#block({ from: i, to: end }))
      at = this.#code[end]!.end
      i = end
    }
    const last = to < this.#code.length ? this.#code[to]!.at : this.#body.end
    return concatBytes([...pieces, this.#module.subarray(at, last)])
  }

  /** A block: first what is in it, then itself, if what is left isn't too large. */
  #block(region: Region): Uint8Array {
    const { from, to } = region
    const [head, tail] = [this.#code[from]!, this.#code[to]!]
    const isSmall = this.#bytes(from, to + 1) <= this.#sizes.part
    const exits = this.#exits(region)
    if (isSmall && exits) return this.#outlined(region, this.#module.subarray(head.at, tail.end), exits)
    const inner = concatBytes([
      this.#module.subarray(head.at, head.end),
      this.#rewritten(from + 1, to),
      this.#module.subarray(tail.at, tail.end),
    ])
    return exits && inner.length <= this.#sizes.part && inner.length >= this.#sizes.least
      ? this.#outlined(region, inner, exits)
      : inner
  }

  #bytes(from: number, to: number): number {
    return (this.#code[to]?.at ?? this.#body.end) - this.#code[from]!.at
  }

  /**
   * The labels around a region that it branches to, 0 for the innermost; null where it can't be a function: where it takes or
   * leaves values, or returns.
   */
  #exits({ from, to }: Region): Set<number> | null {
    const head = this.#code[from]!
    if (head.code === IF || head.numbers[0] !== VOID) return null
    const around = this.#around[from]!
    const exits = new Set<number>()
    for (let i = from + 1; i < to; i++) {
      const { code, numbers } = this.#code[i]!
      if (code === RETURN) return null
      if (code !== BR && code !== BR_IF && code !== BR_TABLE) continue
      const inside = this.#around[i]!.length - around.length
      for (const depth of code === BR_TABLE ? numbers.slice(1) : numbers) {
        const exit = depth - inside
        if (exit < 0) continue
        const target = around.at(-1 - exit)
        // The function's own label returns.
        if (target === undefined) return null
        const label = this.#code[target]!
        if (label.code !== LOOP && label.numbers[0] !== VOID) return null
        exits.add(exit)
      }
    }
    return exits
  }

  /** Makes a region a function, and gives what calls it. */
  #outlined({ from, to }: Region, code: Uint8Array, exits: ReadonlySet<number>): Uint8Array {
    const [used, written] = [new Set<number>(), new Set<number>()]
    for (let i = from; i <= to; i++) {
      const { code: op, numbers } = this.#code[i]!
      if (op !== GET && op !== SET && op !== TEE) continue
      used.add(numbers[0]!)
      if (op !== GET) written.add(numbers[0]!)
    }
    const locals = [...used]
    const globals = this.#pool.take(locals.map((local) => this.#locals[local]!))
    const move = (which: ReadonlySet<number>, [get, set]: readonly [number, number], toGlobals: boolean): number[] =>
      locals.flatMap((local, i) => {
        if (!which.has(local)) return []
        const [source, target] = toGlobals ? [local, globals[i]!] : [globals[i]!, local]
        return [get, ...encodeNumber(source), set, ...encodeNumber(target)]
      })
    const store = (which: ReadonlySet<number>) => move(which, [GET, SET_GLOBAL], true)
    const load = (which: ReadonlySet<number>) => move(which, [GET_GLOBAL, SET], false)

    const left = encodeNumber(this.#locals.length)
    const furthest = Math.max(-1, ...exits)
    // Labels keep their numbers: for each one up to the furthest there is a block, behind which is noted that it was meant.
    const landings = Array.from({ length: furthest + 1 }, (_, exit) => [
      ...[END, CONST, ...encodeSigned(exit + 1), SET, ...left],
      ...[BR, ...encodeNumber(furthest - exit)],
    ])
    const part = concatBytes([
      localGroups([...this.#locals, I32]),
      Uint8Array.from([...load(used), BLOCK, VOID, ...landings.flatMap(() => [BLOCK, VOID])]),
      code,
      Uint8Array.from([BR, ...encodeNumber(furthest + 1), ...landings.flat(), END]),
      Uint8Array.from([...store(written), GET, ...left, END]),
    ])
    const call = [...store(used), CALL, ...encodeNumber(this.#add(part)), ...load(written)]
    if (furthest < 0) return Uint8Array.from([...call, DROP])
    const table = Array.from({ length: furthest + 2 }, (_, label) => (exits.has(label - 1) ? label : 0))
    return Uint8Array.from([
      ...[BLOCK, VOID, ...call, BR_TABLE],
      ...[...encodeNumber(table.length), ...table.flatMap((label) => [...encodeNumber(label)]), 0, END],
    ])
  }
}

/** Whether an instruction computes with vectors of floats. */
const isArithmetic = ({ code, numbers }: Instruction): boolean => code === VECTORS && numbers[0]! >= 0xe0

/** Types of locals as a body begins with them. */
function localGroups(types: readonly number[]): Uint8Array {
  const groups: { type: number; count: number }[] = []
  for (const type of types)
    if (groups.at(-1)?.type === type) groups.at(-1)!.count++
    else groups.push({ type, count: 1 })
  return Uint8Array.from([
    ...encodeNumber(groups.length),
    ...groups.flatMap(({ type, count }) => [...encodeNumber(count), type]),
  ])
}

/** Types of the locals that a body declares. */
function localsOf(bytes: Uint8Array, { at }: Stretch): number[] {
  const reader = new WasmReader(bytes, at)
  const types: number[] = []
  for (let groups = reader.number(); groups > 0; groups--) {
    const count = reader.number()
    types.push(...new Array<number>(count).fill(reader.byte()))
  }
  return types
}

/** Types of the parameters of each function that the module defines. */
function typesOf(module: Uint8Array): (readonly number[])[] {
  const { count, rest } = countAndRest(module, SECTIONS.type)
  const reader = new WasmReader(rest, 0)
  const values = () => Array.from({ length: reader.number() }, () => reader.byte())
  const signatures = Array.from({ length: count }, () => {
    if (reader.byte() !== FUNCTION) throw new TypeError("Expected the types of a WebAssembly module to be of functions")
    const parameters = values()
    values()
    return parameters
  })
  const functions = countAndRest(module, SECTIONS.function)
  const numbers = new WasmReader(functions.rest, 0)
  return Array.from({ length: functions.count }, () => signatures[numbers.number()]!)
}
