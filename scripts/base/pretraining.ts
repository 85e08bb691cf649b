/**
 * @module Pre-training of the embedded base from random weights with the project's own trainer, method `full`. The same
 * settings, backend and threads give the same losses.
 */
import { readFile } from "node:fs/promises"
import { join } from "node:path"
import { full } from "../../adapters/full.ts"
import { rng } from "../../src/core/rng.ts"
import type { Tensor } from "../../src/core/tensor.ts"
import type { Batch } from "../../src/data/batch.ts"
import type { ModelConfig } from "../../src/models/architecture.ts"
import { llama } from "../../src/models/llama.ts"
import { openRuntime } from "../../src/presets/open-runtime.ts"
import type { BackendName } from "../../src/runtime/runtime.ts"
import { memorySource, packWeights } from "../../src/store/weights-file.ts"
import { loadTokenizer } from "../../src/text/tokenizer.ts"
import type { TokenizerJson } from "../../src/text/tokenizer-json.ts"
import { checkpointFile } from "../../src/train/checkpoint-file.ts"
import type { TrainConfig } from "../../src/train/config.ts"
import type { TrainEvent } from "../../src/train/events.ts"
import { graphStep } from "../../src/train/graph-step.ts"
import { streamSource } from "../../src/train/source.ts"
import { type TrainResult, train } from "../../src/train/trainer.ts"
import { corpusStream } from "../corpus/corpus.ts"
import type { Split } from "../corpus/document.ts"
import { randomWeights } from "../random-base.ts"
import { encodeDocument, type Learned, packDocuments, wholeShare } from "./documents.ts"
import { meanOfBases } from "./folder.ts"
import { sprigConfig, sprigTokenizer, tokenizerConfig } from "./sprig.ts"

/** What decides the weights. */
export interface PretrainingSettings {
  /**
   * Folder of a finished base whose weights and tokenizer are gone on with, over documents that repair what it can't do
   * (the course "again" of the corpus); null begins with random weights.
   */
  readonly from: string | null
  /**
   * Updates at which the learning rate has come down, ascending: after each but the last it rises at once and the run goes
   * on, from its last checkpoint before (https://arxiv.org/abs/2410.05192, WSD-S).
   */
  readonly steps: readonly number[]
  /**
   * The weights that are kept: the mean of those at each of these updates, in such shares. The last updates correct what those
   * before let fade, and lose some of what they gained; between the two lies a base that has both
   * (https://arxiv.org/abs/2203.05482).
   */
  readonly mean: readonly number[]
  /** Rows of a batch, and tokens of a row. */
  readonly rows: number
  readonly length: number
  readonly learningRate: number
  readonly seed: number
  readonly learned: Learned
  readonly backend: BackendName
  readonly threads: number
}

/** The settings that the bundled weights were made with. */
export const bundled: PretrainingSettings = {
  from: null,
  steps: [16000, 24000, 28000],
  mean: [0, 0.3, 0.7],
  rows: 8,
  length: 256,
  learningRate: 3e-3,
  seed: 1,
  learned: "fading",
  backend: "native",
  threads: 2,
}

/** Updates between two checkpoints. */
export const CHECKPOINT_EVERY = 100
/** Batches of held-out documents that the loss is measured on. */
const HELDOUT_BATCHES = 4

/** A run that is ready to go. */
export interface Pretraining {
  readonly tokenizerJson: TokenizerJson
  /** Backend and version. */
  readonly engine: string
  readonly parameters: number
  /** The weights as they are now, by checkpoint name. */
  tensors(): Map<string, Tensor<"f32">>
  /**
   * @param resume go on from the folder's checkpoint instead of beginning
   * @param onStop is called, and waited for, where the learning rate has come down
   */
  run(options: {
    readonly folder: string
    readonly resume: boolean
    readonly signal: AbortSignal
    onEvent(event: TrainEvent): void
    onStop?(step: number): Promise<void>
  }): Promise<TrainResult>
  dispose(): Promise<void>
}

/** Weights and tokenizer that a run begins with. */
async function beginning({ from, seed }: PretrainingSettings, config: ModelConfig) {
  if (from === null) return { tokenizerJson: sprigTokenizer(seed), start: randomWeights(llama, config, seed) }
  const tokenizerJson: TokenizerJson = JSON.parse(await readFile(join(from, "tokenizer.json"), "utf8"))
  return { tokenizerJson, start: new Map(await meanOfBases(new Map([[from, 1]]))) }
}

/** Trains the tokenizer, if there is none yet, and sets up the weights, the graph and the data. */
export async function pretraining(settings: PretrainingSettings): Promise<Pretraining> {
  const { from, steps, rows, length, learningRate, seed, learned, backend, threads } = settings
  const config = llama.parseConfig(sprigConfig)
  const { tokenizerJson, start } = await beginning(settings, config)
  const tokenizer = loadTokenizer({ tokenizerJson, tokenizerConfig })
  const packed = await packWeights(memorySource(start), llama.weights(config), { cacheFolder: null })
  const base = {
    name: "sprig",
    architecture: llama,
    config,
    ...packed,
    hash: packed.weights.hash,
    read: async (name: string) => start.get(name)!.data,
  }
  const { runtime } = await openRuntime(backend, { threads })
  const env = {
    config,
    sites: llama.sites(config),
    tokenEmbedding: "model.embed_tokens.weight",
    encode: (text: string) => tokenizer.encode(text),
    rng: (purpose: string) => rng(seed, purpose),
  }
  const method = full.prepare({})
  const step = await graphStep({ runtime, base, method, env, maxLength: length, maxLabelled: rows * length })

  function* encoded(split: Split) {
    const random = rng(seed, `learned:${split}`)
    let count = 0
    for (const document of corpusStream(seed, split, from === null ? "whole" : "again")) {
      const isLate = split === "heldout" || from !== null
      const share = wholeShare(learned, isLate ? Number.POSITIVE_INFINITY : count++)
      yield encodeDocument(tokenizer, document, random.next() < share ? "all" : "answers")
    }
  }
  const heldout: Batch[] = []
  for (const batch of packDocuments(encoded("heldout"), rows, length, sprigConfig.pad_token_id)) {
    heldout.push(batch)
    if (heldout.length === HELDOUT_BATCHES) break
  }
  const trainConfig = {
    learningRate,
    // A second course comes down from its first update on: it has nothing left to explore.
    schedule: from === null ? "wsd" : "linear",
    warmup: 100,
    betas: [0.9, 0.95],
    weightDecay: 0.1,
    rateFloor: 0.02,
    evaluateEvery: 250,
    keepBest: false,
    checkpointEvery: CHECKPOINT_EVERY,
  } satisfies TrainConfig
  return {
    tokenizerJson,
    engine: runtime.detail,
    parameters: step.values.length,
    tensors: () => step.tensors(),
    async run({ folder, resume, signal, onEvent, onStop }) {
      const checkpoint = checkpointFile(folder, {
        base: base.hash,
        data: `corpus:${seed}${from === null ? "" : ":again"}`,
        // The length may be chosen anew as long as the rate is constant: the weights don't depend on it before.
        config: { ...trainConfig, maxSteps: null, rows, length, seed, learned },
        runtime: runtime.detail,
        threads: runtime.threads,
      })
      const source = streamSource(() => packDocuments(encoded("train"), rows, length, sprigConfig.pad_token_id))
      let result: TrainResult | null = null
      for (const maxSteps of steps) {
        const snapshot = resume || result ? await checkpoint.load() : null
        if (snapshot && snapshot.progress.step >= maxSteps) continue
        result = await train(
          step,
          { source, heldout },
          { ...trainConfig, maxSteps },
          { signal, onEvent, saveCheckpoint: (state) => checkpoint.save(state) },
          snapshot ?? undefined,
        )
        if (result.status === "interrupted") break
        await onStop?.(maxSteps)
      }
      return result!
    },
    async dispose() {
      await step.dispose()
      await runtime.dispose()
    },
  }
}
