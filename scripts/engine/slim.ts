/**
 * @module The engine's WebAssembly without the functions that no graph of this toolkit ever calls. ONNX Runtime's stock build has
 * the kernels of every operator; what our graphs need is a quarter of its functions. Which those are was recorded while tests
 * ran (`profile.ts`); beside them stays whatever they may call by number, so that an engine which finds an error can say it.
 * The others keep their number and their type, and end the program where they are called. Of the largest functions only what was
 * executed stays, and of operators only the declarations of those that a graph may have (`operators.ts`).
 */
import { createHash } from "node:crypto"
import { concatBytes } from "../../src/core/bytes.ts"
import { EspalierError } from "../../src/core/errors.ts"
import { bodiesOf, codeSection, importsOf, SECTIONS, withSections } from "../../src/runtime/wasm-file.ts"
import { directCalls } from "./calls.ts"
import type { Called } from "./instrument.ts"
import { withWantedOperators } from "./operators.ts"
import { withoutRuns } from "./runs.ts"
import { splitLarge } from "./split.ts"
import { usedFunctions } from "./used-functions.ts"

/** No locals, `unreachable`, `end`. */
const STUB = Uint8Array.of(0, 0x00, 0x0b)

/**
 * Functions with more bytes than this are cut down to the runs that were executed. They are a handful, and each is a thousand
 * cases in one: a conversion between all pairs of types, the declarations of all operators, the making of a session. V8
 * translates a function whole, and takes up to 200 times its size for that.
 */
export const LARGE_BYTES = 64 * 1024

/** What of an engine was executed. Bits are given lowest first, as base64. */
export interface UsedFunctions {
  /** sha256 of the engine, in hex. */
  readonly engine: string
  /** A bit for each function that it defines. */
  readonly functions: string
  /** By the place of a large function, a bit for each of its runs. */
  readonly runs: Readonly<Record<number, string>>
}

/** Numbers as bits. @param count how many there may be */
export function toBits(numbers: Iterable<number>, count: number): string {
  const bits = new Uint8Array(Math.ceil(count / 8))
  for (const i of numbers) bits[i >> 3]! |= 1 << (i & 7)
  return Buffer.from(bits).toString("base64")
}

/** Numbers of the bits that are set. */
export function fromBits(text: string): number[] {
  const numbers: number[] = []
  for (const [i, byte] of Buffer.from(text, "base64").entries())
    for (let bit = 0; bit < 8; bit++) if (byte & (1 << bit)) numbers.push(8 * i + bit)
  return numbers
}

/** sha256 in hex. */
export const hashOf = (bytes: Uint8Array): string => createHash("sha256").update(bytes).digest("hex")

/**
 * The engine with what is needed.
 * @throws {EspalierError} `invalid_file` if the functions were recorded of another engine
 */
export function slimEngine(engine: Uint8Array, used: UsedFunctions = usedFunctions): Uint8Array {
  if (hashOf(engine) !== used.engine)
    throw new EspalierError(
      "invalid_file",
      "The engine's functions were recorded of another version of onnxruntime-web",
      {
        hint: "Record them anew: bun run scripts/engine/profile.ts",
      },
    )
  const runs = Object.entries(used.runs).map(([place, bits]) => [Number(place), fromBits(bits)] as const)
  const kept = { functions: fromBits(used.functions), runs: Object.fromEntries(runs) }
  return splitLarge(keepFunctions(withWantedOperators(engine), kept))
}

/**
 * A module in which these functions, and what they call by number, are whole, but for those whose runs are given: they have those.
 * Every other ends the program.
 */
export function keepFunctions(module: Uint8Array, { functions, runs }: Called): Uint8Array {
  const { functions: imported } = importsOf(module)
  const bodies = bodiesOf(module).map((body, i) => {
    const wanted = runs[i] && new Set(runs[i])
    return wanted
      ? concatBytes(withoutRuns(module, body, (run) => wanted.has(run)))
      : module.subarray(body.at, body.end)
  })
  const kept = new Set(functions)
  // A set's loop comes to what is added while it runs.
  for (const i of kept)
    for (const callee of directCalls(bodies[i]!, { at: 0, end: bodies[i]!.length }))
      if (callee >= imported) kept.add(callee - imported)
  const contents = bodies.map((body, i) => [kept.has(i) ? body : STUB])
  return withSections(module, new Map([[SECTIONS.code, codeSection(contents)]]))
}
