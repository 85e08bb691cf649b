/**
 * @module The time of one optimizer step over a base of random weights in Llama's layout: forward, backward, clipping and
 * AdamW. The rows are random tokens, of which a part may be masked as prompts are.
 */
import { mkdtemp, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { methods } from "../../adapters/mod.ts"
import { EspalierError } from "../../src/core/errors.ts"
import { rng } from "../../src/core/rng.ts"
import { sizeOf } from "../../src/core/tensor.ts"
import { type Batch, countLabelled, IGNORE } from "../../src/data/batch.ts"
import type { Base } from "../../src/models/base.ts"
import { llama } from "../../src/models/llama.ts"
import { heldWeights, type Quantization } from "../../src/models/quantization.ts"
import { methodEnv } from "../../src/presets/method-env.ts"
import { openRuntime } from "../../src/presets/open-runtime.ts"
import type { BackendName } from "../../src/runtime/runtime.ts"
import { packWeights, type WeightSource } from "../../src/store/weights-file.ts"
import { clipGradients } from "../../src/train/clip.ts"
import { graphStep } from "../../src/train/graph-step.ts"
import { adamW } from "../../src/train/optimizer.ts"
import { peakMemory } from "./machine.ts"
import { type Summary, summarise, timeRuns } from "./stats.ts"

/** What is measured. */
export interface TrainBench {
  readonly hidden: number
  readonly layers: number
  readonly heads: number
  readonly kvHeads: number
  readonly intermediate: number
  readonly vocab: number
  readonly batch: number
  readonly length: number
  /** The part of positions that counts in the loss, at the end of each row: below 1 as where prompts are masked. */
  readonly labelled: number
  readonly method: string
  readonly settings: Readonly<Record<string, unknown>>
  readonly backend: BackendName | "auto"
  readonly threads: number | null
  /** How the base's weights are held in fewer bits; null where they are f32. */
  readonly quantize: Quantization | null
  readonly steps: number
  readonly warmup: number
}

/** What came out. */
export interface TrainFigures {
  readonly backend: string
  readonly parameters: number
  readonly trainable: number
  readonly ms_per_step: Summary
  readonly tokens_per_second: number
  readonly peak_rss_bytes: number
  /** Loss of the first and of the last step: equal inputs give equal ones. */
  readonly loss: readonly [number, number]
}

/** Measures. @throws {EspalierError} `invalid_request` for a method that is not known or settings that are wrong. */
export async function benchTrain(bench: TrainBench): Promise<TrainFigures> {
  const method = methods.find(({ name }) => name === bench.method)
  if (!method) {
    throw new EspalierError("invalid_request", `There is no method "${bench.method}"`, {
      hint: `Known: ${methods.map(({ name }) => name).join(", ")}`,
      param: "method",
    })
  }
  const config = llama.parseConfig({
    model_type: "llama",
    vocab_size: bench.vocab,
    hidden_size: bench.hidden,
    num_hidden_layers: bench.layers,
    num_attention_heads: bench.heads,
    num_key_value_heads: bench.kvHeads,
    intermediate_size: bench.intermediate,
    max_position_embeddings: Math.max(2048, bench.length),
    rms_norm_eps: 1e-5,
    rope_theta: 10_000,
    tie_word_embeddings: true,
    hidden_act: "silu",
  })
  const prepared = method.prepare(bench.settings)
  const { runtime } = await openRuntime(bench.backend, bench.threads === null ? {} : { threads: bench.threads })
  const folder = await mkdtemp(join(tmpdir(), "espalier-bench-"))
  try {
    const source = randomSource(llama.weights(config).flatMap(({ parts }) => parts))
    const packed = await packWeights(source, llama.weights(config), {
      cacheFolder: folder,
      ...(bench.quantize && { held: heldWeights(llama, config, bench.quantize) }),
    })
    const base: Base = {
      name: "random",
      architecture: llama,
      config,
      ...packed,
      ...(bench.quantize && { quantization: bench.quantize }),
      hash: packed.weights.hash,
      read: (name) => source.readF32(name),
    }
    const step = await graphStep({
      runtime,
      base,
      method: prepared,
      env: methodEnv(base, null, 0),
      maxLength: bench.length,
      maxLabelled: bench.batch * bench.length,
    })
    const optimizer = adamW(step.parameters)
    const batch = randomBatch(bench)
    const gradients = new Float32Array(step.values.length)
    const losses: number[] = []
    const times = await timeRuns(
      async () => {
        gradients.fill(0)
        losses.push(await step.forwardBackward(batch, 1 / batch.labelled, gradients, 0))
        clipGradients(gradients, 1)
        optimizer.update(step.values, gradients, 1e-4)
      },
      { warmup: bench.warmup, count: bench.steps },
    )
    const summary = summarise(times)
    await step.dispose()
    return {
      backend: `${runtime.name} (${runtime.detail}), ${bench.quantize ?? "f32"} weights`,
      parameters: [...source.tensors.values()].reduce((sum, { shape }) => sum + sizeOf(shape), 0),
      trainable: step.values.length,
      ms_per_step: summary,
      tokens_per_second: (1000 * batch.tokens) / summary.median,
      peak_rss_bytes: peakMemory(),
      loss: [losses[0]!, losses.at(-1)!],
    }
  } finally {
    await runtime.dispose()
    await rm(folder, { recursive: true, force: true })
  }
}

/** Half the width of the uniform distribution that weights are drawn from: a standard deviation of 0.02. */
const BOUND = 0.02 * Math.sqrt(3)

/** Weights made when they are asked for, so that the peak of memory is the step's and not theirs. */
function randomSource(parts: readonly { readonly name: string; readonly shape: readonly number[] }[]): WeightSource {
  const tensors = new Map(parts.map(({ name, shape }) => [name, { shape }]))
  return {
    tensors,
    async readF32(name) {
      const { shape } = tensors.get(name)!
      const data = new Float32Array(sizeOf(shape))
      if (shape.length === 1) return data.fill(1)
      const random = rng(0, `bench:${name}`)
      for (let i = 0; i < data.length; i++) data[i] = (2 * random.next() - 1) * BOUND
      return data
    },
    hash: async () => "random",
  }
}

/** Random tokens; the last part of each row counts in the loss. */
function randomBatch({ batch: rows, length, vocab, labelled: part }: TrainBench): Batch {
  const random = rng(0, "bench:tokens")
  const ids = Int32Array.from({ length: rows * length }, () => random.below(vocab))
  const masked = Math.min(length - 1, Math.round(length * (1 - part)))
  const labels = ids.map((id, i) => (i % length < masked ? IGNORE : id))
  let labelled = 0
  for (let row = 0; row < rows; row++) labelled += countLabelled(labels.subarray(row * length, (row + 1) * length))
  return { rows, length, ids, labels, tokens: rows * length, labelled }
}
