/**
 * @module `bench train`: the time of a training step on random weights.
 */
import { methods } from "../../adapters/mod.ts"
import { rng } from "../../src/core/rng.ts"
import { type Batch, IGNORE } from "../../src/data/batch.ts"
import { openRuntime } from "../../src/presets/open-runtime.ts"
import type { BackendName } from "../../src/runtime/runtime.ts"
import { clipGradients } from "../../src/train/clip.ts"
import { graphStep } from "../../src/train/graph-step.ts"
import { adamW } from "../../src/train/optimizer.ts"
import { median, peakRssMb } from "./machine.ts"
import { type BaseShape, randomBase } from "./random-source.ts"

/** What to measure. */
export interface TrainBenchOptions {
  readonly shape: BaseShape
  readonly batch: number
  readonly length: number
  readonly method: string
  readonly rank: number
  readonly targets: string
  readonly backend: BackendName | "auto"
  readonly threads: number | null
  /** The part of the tokens that counts in the loss: the end of each row. */
  readonly labelled: number
  readonly steps: number
  readonly warmup: number
}

/** Measures whole optimizer steps: forward, backward, clipping, AdamW. */
export async function benchTrain(options: TrainBenchOptions): Promise<Record<string, unknown>> {
  const { batch, length, labelled, steps, warmup } = options
  const { runtime } = await openRuntime(options.backend, options.threads === null ? {} : { threads: options.threads })
  const base = await randomBase(options.shape)
  const method = methods.find(({ name }) => name === options.method)
  if (!method)
    throw new RangeError(
      `Expected a method of ${methods.map(({ name }) => name).join(", ")} but found ${options.method}`,
    )
  const targets = options.targets === "all" ? "all-linear" : options.targets.split(",")
  const prepared = method.prepare(
    method.name === "lora" ? { rank: options.rank, alpha: 2 * options.rank, targets } : {},
  )
  const env = {
    config: base.config,
    sites: base.architecture.sites(base.config),
    tokenEmbedding: `${base.architecture.tokenEmbedding}.weight`,
    encode: () => [],
    rng: (purpose: string) => rng(0, purpose),
  }
  const started = performance.now()
  const step = await graphStep({ runtime, base, method: prepared, env, maxLength: length, maxLabelled: batch * length })
  const buildMs = performance.now() - started
  const data = randomBatch(batch, length, labelled, options.shape.vocab)
  const optimizer = adamW(step.parameters, {})
  const gradients = new Float32Array(step.values.length)
  const times: number[] = []
  let loss = 0
  for (let i = 0; i < warmup + steps; i++) {
    const start = performance.now()
    gradients.fill(0)
    loss = await step.forwardBackward(data, 1 / data.labelled, gradients, 0)
    clipGradients(gradients, 1)
    optimizer.update(step.values, gradients, 1e-4)
    if (i >= warmup) times.push(performance.now() - start)
  }
  const result = {
    bench: "train",
    backend: runtime.name,
    detail: runtime.detail,
    method: method.name,
    trainable: step.values.length,
    batch,
    length,
    labelled_tokens: data.labelled,
    build_ms: Math.round(buildMs),
    step_ms: Math.round(median(times) * 10) / 10,
    step_ms_all: times.map((ms) => Math.round(ms)),
    tokens_per_second: Math.round((1000 * batch * length) / median(times)),
    peak_rss_mb: peakRssMb(),
    loss: Math.round(loss * 1e4) / 1e4,
  }
  await step.dispose()
  await runtime.dispose()
  return result
}

function randomBatch(rows: number, length: number, part: number, vocab: number): Batch {
  const random = rng(0, "bench")
  const ids = Int32Array.from({ length: rows * length }, () => random.below(vocab))
  const labels = ids.map((id, i) => ((i % length) + 1 > length * (1 - part) ? id : IGNORE))
  const labelled = labels.filter((label, i) => i % length !== 0 && label !== IGNORE).length
  return { rows, length, ids, labels, tokens: rows * length, labelled }
}
