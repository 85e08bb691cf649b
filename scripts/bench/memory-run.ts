/**
 * @module One measured run of `bench memory`, in a process of its own: a few steps of training with evaluation and
 * checkpoints, and the peak of resident memory. Takes a {@link MemoryRun} as JSON, prints a line of JSON.
 */
import { mkdtemp, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { methods } from "../../adapters/mod.ts"
import { rng } from "../../src/core/rng.ts"
import { packedBatch } from "../../src/data/pack.ts"
import { methodEnv } from "../../src/presets/method-env.ts"
import { openRuntime } from "../../src/presets/open-runtime.ts"
import { checkpointFile } from "../../src/train/checkpoint-file.ts"
import { graphStep } from "../../src/train/graph-step.ts"
import { streamSource } from "../../src/train/source.ts"
import { train } from "../../src/train/trainer.ts"
import { peakMemory } from "./machine.ts"
import { type MemoryRun, openMemoryBase } from "./memory-cases.ts"

/** Updates: enough for two evaluations and two checkpoints beside them. */
const STEPS = 5

const run = JSON.parse(process.argv[2]!) as MemoryRun
const { rows, length } = run
const folder = await mkdtemp(join(tmpdir(), "espalier-bench-"))
const { runtime } = await openRuntime(run.backend, { threads: 2 })
const base = await openMemoryBase(run.base)
const method = methods.find(({ name }) => name === run.method)!.prepare(run.settings)
const step = await graphStep({
  runtime,
  base,
  method,
  env: methodEnv(base, null, 0),
  maxLength: length,
  maxLabelled: rows * (length - 1),
})
const random = rng(0, "bench:tokens")
function* batches() {
  while (true) {
    const ids = Int32Array.from({ length: rows * length }, () => random.below(base.config.vocabSize))
    yield packedBatch(ids, rows, length)
  }
}
const [heldout] = batches()
const identity = { base: "bench", data: "bench", config: {}, runtime: runtime.name, threads: runtime.threads }
const checkpoint = checkpointFile(folder, identity)
await train(
  step,
  { source: streamSource(batches), heldout: [heldout!] },
  { learningRate: method.learningRate, maxSteps: STEPS, evaluateEvery: 2, checkpointEvery: 2 },
  { saveCheckpoint: (snapshot) => checkpoint.save(snapshot) },
)
process.stdout.write(`${JSON.stringify({ peak_rss_bytes: peakMemory() })}\n`)
await step.dispose()
await runtime.dispose()
await rm(folder, { recursive: true, force: true })
