/**
 * @module One measured run of `bench memory`, in a process of its own: a few steps of training with evaluation and
 * checkpoints, or an answer, and the peak of resident memory. Takes a {@link MemoryRun} as JSON, prints a line of JSON.
 */
import { mkdtemp, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { methods } from "../../adapters/mod.ts"
import { rng } from "../../src/core/rng.ts"
import { packedBatch } from "../../src/data/pack.ts"
import { methodEnv } from "../../src/presets/method-env.ts"
import { openRuntime } from "../../src/presets/open-runtime.ts"
import { graphDecoder } from "../../src/serve/graph-decoder.ts"
import { checkpointFile } from "../../src/train/checkpoint-file.ts"
import { graphStep } from "../../src/train/graph-step.ts"
import { streamSource } from "../../src/train/source.ts"
import { train } from "../../src/train/trainer.ts"
import { peakMemory } from "./machine.ts"
import { type MemoryRun, openMemoryBase } from "./memory-cases.ts"

/** Updates: enough for two evaluations and two checkpoints beside them. */
const STEPS = 5
/** Tokens of an answer. */
const ANSWER = 8

const run = JSON.parse(process.argv[2]!) as MemoryRun
const { rows, length } = run
const { runtime } = await openRuntime(run.backend, { threads: 2 })
const base = await openMemoryBase(run)
const random = rng(0, "bench:tokens")
if (run.method === null) await answer()
else await learn(run.method)
process.stdout.write(`${JSON.stringify({ peak_rss_bytes: peakMemory() })}\n`)
await runtime.dispose()

/** Answers to a prompt, token by token. */
async function answer(): Promise<void> {
  const decoder = await graphDecoder({ runtime, base })
  const sequence = await decoder.open(null, length)
  await sequence.append(Array.from({ length: length - ANSWER }, () => random.below(base.config.vocabSize)))
  for (let i = 0; i < ANSWER; i++) await sequence.append([random.below(base.config.vocabSize)])
  sequence.close()
  await decoder.dispose()
}

/** Trains by a method. */
async function learn(name: string): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), "espalier-bench-"))
  const method = methods.find((each) => each.name === name)!.prepare(run.settings)
  const step = await graphStep({
    runtime,
    base,
    method,
    env: methodEnv(base, null, 0),
    maxLength: length,
    maxLabelled: rows * (length - 1),
  })
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
  await step.dispose()
  await rm(folder, { recursive: true, force: true })
}
