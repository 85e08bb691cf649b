/**
 * @module What the engine on WebAssembly computes, on one thread: a hash of every bit of logits, tokens and gradients over several
 * bases. Takes how the engine is run: `whole`, `hot` as it is by default, `cold` with next to nothing compiled beforehand, or
 * `stranger`, as if another engine had been recorded. Writes the hash, and how often what was called for was compiled on the spot.
 */
import { fileURLToPath } from "node:url"
import { usesSegments } from "../../scripts/engine/calls.ts"
import { toBits } from "../../scripts/engine/slim.ts"
import { stockEngine } from "../../scripts/engine/stock-engine.ts"
import { randomLora } from "../../scripts/random-lora.ts"
import { sha256Hex } from "../../src/core/hash.ts"
import { rng } from "../../src/core/rng.ts"
import { openBase } from "../../src/presets/open-base.ts"
import { hotFunctions } from "../../src/runtime/hot-functions.ts"
import { wasm } from "../../src/runtime/wasm.ts"
import { bodiesOf } from "../../src/runtime/wasm-file.ts"
import { graphDecoder } from "../../src/serve/graph-decoder.ts"
import { countCompiled } from "./compiled-modules.ts"
import { loraGradients } from "./lora-step.ts"

const [how = ""] = process.argv.slice(2)
const coldest = (): string => {
  const stock = stockEngine()
  const bodies = bodiesOf(stock)
  return toBits(
    bodies.flatMap((body, i) => (usesSegments(stock, body) ? [i] : [])),
    bodies.length,
  )
}
const recorded: Record<string, () => Partial<typeof hotFunctions>> = {
  whole: () => ({ engineBytes: 0 }),
  hot: () => ({}),
  cold: () => ({ functions: coldest() }),
  stranger: () => ({ outline: "" }),
}
Object.assign(hotFunctions, recorded[how]!())

const { count } = countCompiled(1000)

const runtime = await wasm.open({ threads: 1 })
const found: Uint8Array[] = []
const note = (values: Float32Array): void => void found.push(new Uint8Array(new Float32Array(values).buffer))
const openAt = (place: string, quantize?: "int8") =>
  openBase(fileURLToPath(new URL(place, import.meta.url)), { cacheFolder: null, ...(quantize && { quantize }) })
for (const quantize of [undefined, "int8"] as const) {
  const { base } = await openAt("../../models/sprig", quantize)
  const decoder = await graphDecoder({ runtime, base })
  const drawn = { random: rng(0, "lora"), rank: 4, scale: 2, stdA: () => 0.05, stdB: 0.05 }
  const lora = await decoder.bind(randomLora(base, { ...drawn, hash: "lora", targets: null }))
  for (const adapter of [null, lora]) {
    const sequence = await decoder.open(adapter, 16)
    note(await sequence.append([1, 2, 3, 4, 5]))
    for (const logits of await decoder.step([{ sequence, token: 6 }])) note(logits)
  }
  await decoder.dispose()
}
const afterAnswers = count()
for (const name of ["gemma3", "gpt2", "qwen3"]) {
  const { base } = await openAt(`../fixtures/parity/${name}/base`)
  const { loss, gradients } = await loraGradients(runtime, base)
  note(Float32Array.of(loss))
  note(gradients)
}
const hash = await sha256Hex(Buffer.concat(found))
console.log(JSON.stringify({ hash, afterAnswers, onTheSpot: count() }))
