/**
 * @module Names the operators that the engine declares, in `declared-operators.ts`, by running the engine's beginning with a note
 * taken of each schema as it is handed over. `profile.ts` runs it first.
 */
import { spawnSync } from "node:child_process"
import { writeFileSync } from "node:fs"
import { fileURLToPath } from "node:url"
import { wasm } from "../../src/runtime/wasm.ts"
import { bodiesOf, codeSection, encodeNumber } from "../../src/runtime/wasm-file.ts"
import { type Declaration, declarationsOf } from "./declarations.ts"
import { globalsOf, withGlobals } from "./instrument.ts"
import { runInstead } from "./run-instead.ts"
import { hashOf } from "./slim.ts"
import { stockEngine } from "./stock-engine.ts"

/** Fewer declarations than this are something else that looks like them. */
const LEAST = 100
/** Where a schema has its name, its version and its domain, in bytes; texts are libc++'s strings. */
const [NAME, DOMAIN, VERSION] = [0, 36, 152]
/** Bytes of a string: either itself, or a pointer to it, which the sign of its last byte tells. */
const LAST_OF_STRING = 11
/** Words of 8 bytes that are noted of a schema: 4 of its name, 3 of its domain, its version. */
const WORDS = 8
const [GET, SET_GLOBAL, LOAD, LOAD_SIGNED_BYTE, LOAD_LONG, LOAD_LONG_32, CONST, ADD, LESS, SELECT] = [
  0x20, 0x24, 0x28, 0x2c, 0x29, 0x35, 0x41, 0x6a, 0x48, 0x1b,
]
const I64_ZERO = [0x42, 0, 0x0b]
const I64 = 0x7e

const stock = stockEngine()
const bodies = bodiesOf(stock)
const place = bodies.findIndex((body) => body.end - body.at > 500_000 && declarationsOf(stock, body).length > LEAST)
if (place < 0) throw new Error("No function of the engine declares operators in the way that is looked for")
const declarations = declarationsOf(stock, bodies[place]!)

// Further threads would run instances of their own, which nobody asks.
Object.defineProperty(navigator, "hardwareConcurrency", { value: 1 })
const instances = runInstead(noting())
const runtime = await wasm.open({ threads: 1 })
// It starts, and then finds no graph.
await runtime.createSession({ model: new Uint8Array(0), weights: null }).catch(() => {})
const { exports } = instances[0]!

const names = declarations.map((_, i) => {
  const bytes = new DataView(new ArrayBuffer(8 * WORDS))
  for (let word = 0; word < WORDS; word++)
    bytes.setBigInt64(8 * word, (exports[`noted:${i * WORDS + word}`] as WebAssembly.Global).value, true)
  const text = (from: number, length: number): string => {
    const all = new Uint8Array(bytes.buffer, from, length)
    return new TextDecoder().decode(all.subarray(0, all.includes(0) ? all.indexOf(0) : length))
  }
  return `${text(32, 24)}:${text(0, 32)}:${bytes.getInt32(56, true)}`
})
const path = fileURLToPath(new URL("declared-operators.ts", import.meta.url))
writeFileSync(
  path,
  `/**
 * @module The operators that onnxruntime-web's engine declares, in the order of their declarations, as \`name-declarations.ts\` noted
 * them: domain, name and version.
 */

/** sha256 of the engine in hex, the place of the function that declares them, and what it declares. */
export const declaredOperators = {
  engine: "${hashOf(stock)}",
  place: ${place},
  operators: \`
${names.join("\n")}
\`,
}
`,
)
spawnSync("biome", ["format", "--write", path])
console.log(`${names.length} operators are declared`)

/** The engine with a note taken of each schema, in globals. */
function noting(): Uint8Array {
  const names = Array.from({ length: declarations.length * WORDS }, (_, word) => `${word}`)
  const code = bodies.map((body, i) => (i === place ? noted(globalsOf(stock)) : [stock.subarray(body.at, body.end)]))
  return withGlobals(stock, { prefix: "noted:", type: I64, start: I64_ZERO, names }, codeSection(code))
}

/** The declaring function, with the globals from `first` on. */
function noted(first: number): Uint8Array[] {
  const parts: Uint8Array[] = []
  let { at } = bodies[place]!
  for (const [i, declaration] of declarations.entries()) {
    parts.push(stock.subarray(at, declaration.call), Uint8Array.from(note(declaration, first + i * WORDS)))
    at = declaration.call
  }
  return [...parts, stock.subarray(at, bodies[place]!.end)]
}

/** Code that writes a schema's words into globals. */
function note({ schema }: Declaration, first: number): number[] {
  const local = [GET, ...encodeNumber(schema)]
  /** The address of a string's text. */
  const text = (at: number): number[] => [
    ...[...local, LOAD, 2, ...encodeNumber(at)],
    ...[...local, CONST, at, ADD],
    ...[...local, LOAD_SIGNED_BYTE, 0, ...encodeNumber(at + LAST_OF_STRING), CONST, 0, LESS],
    SELECT,
  ]
  const longs = (at: number, count: number, to: number): number[] =>
    Array.from({ length: count }, (_, word) => [
      ...[...text(at), LOAD_LONG, 0, 8 * word],
      ...[SET_GLOBAL, ...encodeNumber(first + to + word)],
    ]).flat()
  return [
    ...longs(NAME, 4, 0),
    ...longs(DOMAIN, 3, 4),
    ...[...local, LOAD_LONG_32, 2, ...encodeNumber(VERSION), SET_GLOBAL, ...encodeNumber(first + 7)],
  ]
}
