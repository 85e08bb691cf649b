/**
 * @module `bun run scripts/engine/hot.ts`: records which functions of onnxruntime-web's engine opening a base and answering
 * executes, in `src/runtime/hot-functions.ts`: those that are compiled before anything runs. To be run when onnxruntime-web's
 * version changes; when the decoder's graph does, what is missing here costs a first answer time and nothing else.
 */
import { spawnSync } from "node:child_process"
import { writeFileSync } from "node:fs"
import { fileURLToPath } from "node:url"
import { sha256Hex } from "../../src/core/hash.ts"
import { rng } from "../../src/core/rng.ts"
import { f32 } from "../../src/core/tensor.ts"
import type { LoadedAdapter } from "../../src/forms/form.ts"
import type { Base } from "../../src/models/base.ts"
import { openBase } from "../../src/presets/open-base.ts"
import { openRuntime } from "../../src/presets/open-runtime.ts"
import type { Runtime } from "../../src/runtime/runtime.ts"
import { bodiesOf, outlineOf } from "../../src/runtime/wasm-file.ts"
import { graphDecoder } from "../../src/serve/graph-decoder.ts"
import { randomLora } from "../random-lora.ts"
import { usesSegments } from "./calls.ts"
import { calledIn, instrumented } from "./instrument.ts"
import { runInstead } from "./run-instead.ts"
import { toBits } from "./slim.ts"
import { stockEngine } from "./stock-engine.ts"

const sprig = fileURLToPath(new URL("../../models/sprig", import.meta.url))
const place = fileURLToPath(new URL("../../src/runtime/hot-functions.ts", import.meta.url))

const stock = stockEngine()
const instances = runInstead(instrumented(stock, Number.POSITIVE_INFINITY))
const { runtime } = await openRuntime("wasm", { threads: 1 })
for (const quantize of [undefined, "int8"] as const) {
  const { base } = await openBase(sprig, { cacheFolder: null, ...(quantize && { quantize }) })
  await answer(runtime, base)
}
const bodies = bodiesOf(stock)
const hot = new Set(instances.flatMap((instance) => calledIn(instance).functions))
const needed = bodies.flatMap((body, i) => (hot.has(i) || usesSegments(stock, body) ? [i] : []))
const recorded = {
  engineBytes: stock.length,
  outline: await sha256Hex(outlineOf(stock)),
  functions: toBits(needed, bodies.length),
}
writeFileSync(place, moduleOf(recorded))
spawnSync("biome", ["format", "--write", place])
const bytes = needed.reduce((sum, i) => sum + bodies[i]!.end - bodies[i]!.at, 0)
console.log(`${needed.length} of ${bodies.length} functions, ${bytes} bytes of code`)
process.exit(0)

/** Prompts and tokens, alone and in a batch, of the base, a LoRA and a soft prompt. */
async function answer(runtime: Runtime, base: Base): Promise<void> {
  const random = rng(0, "hot")
  const small = { random, rank: 8, scale: 2, stdA: () => 0.02, stdB: 0.02 }
  const prompt = f32([16, base.config.hiddenSize], new Float32Array(16 * base.config.hiddenSize))
  const adapters: readonly (LoadedAdapter | null)[] = [
    null,
    randomLora(base, { ...small, hash: "all", targets: null }),
    randomLora(base, { ...small, hash: "some", targets: ["q_proj", "v_proj"] }),
    { hash: "prompt", method: "prompt_tuning", forms: [{ form: "prompt", embeddings: prompt }], sizeBytes: 0 },
  ]
  const decoder = await graphDecoder({ runtime, base })
  const tokens = Array.from({ length: 40 }, () => random.below(base.config.vocabSize))
  const sequences = []
  for (const adapter of adapters) {
    const sequence = await decoder.open(adapter && (await decoder.bind(adapter)), 64)
    await sequence.append(tokens)
    await sequence.append(tokens.slice(0, 1))
    sequences.push(sequence)
  }
  for (const batch of [sequences, sequences.slice(0, 1)])
    await decoder.step(batch.map((sequence) => ({ sequence, token: tokens[0]! })))
  await decoder.dispose()
}

function moduleOf({ engineBytes, outline, functions }: typeof recorded): string {
  return `/**
 * @module Which functions of onnxruntime-web's engine opening a base and answering executes, as \`scripts/engine/hot.ts\`
 * recorded it.
 */

/** What was recorded of an engine. */
export interface HotFunctions {
  /** The engine's length, and the sha256 of its outline in hex: see \`outlineOf\`. */
  readonly engineBytes: number
  readonly outline: string
  /** A bit for each function that it defines, the lowest of each byte first, as base64. */
  readonly functions: string
}

/** Functions that are compiled before anything runs. */
export const hotFunctions: HotFunctions = {
  engineBytes: ${engineBytes},
  outline: "${outline}",
  functions: "${functions}",
}
`
}
