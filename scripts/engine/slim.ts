/**
 * @module The engine's WebAssembly without the functions that no graph of this toolkit ever calls. ONNX Runtime's stock build has
 * the kernels of every operator; what our graphs need is a quarter of its functions. Which those are was recorded while tests
 * ran (`profile.ts`); beside them stays whatever they may call by number, so that an engine which finds an error can say it.
 * The others keep their number and their type, and end the program where they are called.
 */
import { createHash } from "node:crypto"
import { EspalierError } from "../../src/core/errors.ts"
import { directCalls } from "./calls.ts"
import { usedFunctions } from "./used-functions.ts"
import { bodiesOf, codeSection, importsOf, SECTIONS, withSections } from "./wasm-file.ts"

/** No locals, `unreachable`, `end`. */
const STUB = Uint8Array.of(0, 0x00, 0x0b)

/** Functions of an engine that were called, by their place among those that it defines. */
export interface UsedFunctions {
  /** sha256 of the engine, in hex. */
  readonly engine: string
  /** A bit for each function, lowest first, as base64. */
  readonly functions: string
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
  const bodies = bodiesOf(engine)
  const bits = Buffer.from(used.functions, "base64")
  const called = bodies.flatMap((_, i) => (bits[i >> 3]! & (1 << (i & 7)) ? [i] : []))
  return keepFunctions(engine, called)
}

/** A module in which these functions and what they call by number are whole, and every other ends the program. */
export function keepFunctions(module: Uint8Array, called: readonly number[]): Uint8Array {
  const bodies = bodiesOf(module)
  const { functions: imported } = importsOf(module)
  const kept = new Set(called)
  // A set's loop comes to what is added while it runs.
  for (const i of kept)
    for (const callee of directCalls(module, bodies[i]!)) if (callee >= imported) kept.add(callee - imported)
  const contents = bodies.map(({ at, end }, i) => [kept.has(i) ? module.subarray(at, end) : STUB])
  return withSections(module, new Map([[SECTIONS.code, codeSection(contents)]]))
}
