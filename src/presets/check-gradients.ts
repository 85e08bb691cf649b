/**
 * @module Whether a backend computes gradients right, asked before anything is trained on it. A driver that gets one operator's
 * derivative wrong still gives the right loss, and the loss may even fall: nothing else would tell. So a model of two thousand
 * weights, made of every block that training on a GPU takes, is differentiated by each of its weights, and what comes out is
 * held against the same gradients as they were computed on a processor.
 */
import { full } from "../../adapters/full.ts"
import { EspalierError } from "../core/errors.ts"
import { rng } from "../core/rng.ts"
import { f32, sizeOf, type Tensor } from "../core/tensor.ts"
import { type Batch, IGNORE } from "../data/batch.ts"
import type { Architecture } from "../models/architecture.ts"
import type { Base } from "../models/base.ts"
import { gpt2 } from "../models/gpt2.ts"
import { llama } from "../models/llama.ts"
import type { Runtime } from "../runtime/runtime.ts"
import { memorySource, packWeights } from "../store/weights-file.ts"
import { graphStep } from "../train/graph-step.ts"
import { gradientReference } from "./gradient-reference.ts"
import { methodEnv } from "./method-env.ts"

/** What a gradient is known by: its norm, and its product with a direction that has nothing to do with it. */
export interface GradientFigures {
  readonly norm: number
  readonly along: number
}

/** What a backend makes of one model. */
export interface ModelFigures {
  /** Mean loss of a labelled position, in nats. */
  readonly loss: number
  /** By the trainable's key. */
  readonly gradients: Readonly<Record<string, GradientFigures>>
}

/** The models: grouped heads, rotary positions, RMSNorm and a gated MLP; learned positions, LayerNorm, biases and GELU. */
const models: Readonly<Record<string, { readonly architecture: Architecture; readonly config: unknown }>> = {
  llama: {
    architecture: llama,
    config: {
      model_type: "llama",
      vocab_size: 24,
      hidden_size: 16,
      num_hidden_layers: 1,
      num_attention_heads: 2,
      num_key_value_heads: 1,
      head_dim: 8,
      intermediate_size: 24,
      max_position_embeddings: 16,
      rms_norm_eps: 1e-5,
      rope_theta: 10000,
      tie_word_embeddings: true,
      hidden_act: "silu",
    },
  },
  gpt2: {
    architecture: gpt2,
    config: {
      model_type: "gpt2",
      vocab_size: 24,
      n_embd: 16,
      n_layer: 1,
      n_head: 2,
      n_inner: 24,
      n_positions: 16,
      layer_norm_epsilon: 1e-5,
      activation_function: "gelu_new",
    },
  },
}

/** Rows and tokens of the batch. Each row's first tokens are a prompt and are not in the loss. */
const [ROWS, LENGTH, PROMPT] = [2, 8, 3]
/** How far a figure may be from the reference, as a part of the gradient's norm. GPUs are off by some 1e-5. */
const TOLERANCE = 2e-3

/** Runtimes that were asked, by what they run on. */
const asked = new Map<string, Promise<void>>()

/**
 * Asks a backend that runs on a GPU's driver, once in a process, whether its gradients are right; others are not asked, for
 * tests hold them to the same figures wherever this toolkit is built.
 * @throws {EspalierError} `unavailable` naming the worst gradient, where they are not.
 */
export function checkGradients(runtime: Runtime): Promise<void> {
  if (runtime.name !== "webgpu") return Promise.resolve()
  const known = asked.get(runtime.detail)
  if (known) return known
  const answer = compareGradients(runtime)
  asked.set(runtime.detail, answer)
  // A question that could not be put, for want of memory say, is no verdict.
  answer.catch((error) => {
    if (!(error instanceof WrongGradients)) asked.delete(runtime.detail)
  })
  return answer
}

/** The verdict on a backend whose gradients are wrong. */
class WrongGradients extends EspalierError {}

/** @throws {EspalierError} `unavailable` naming the worst of the figures that are off. */
export async function compareGradients(runtime: Runtime): Promise<void> {
  const off: { readonly what: string; readonly by: number }[] = []
  for (const [name, reference] of Object.entries(gradientReference)) {
    const found = await gradientFigures(runtime, name)
    off.push({ what: `the loss (${name})`, by: Math.abs(found.loss - reference.loss) / reference.loss })
    for (const [key, { norm, along }] of Object.entries(reference.gradients)) {
      const { norm: foundNorm, along: foundAlong } = found.gradients[key] ?? { norm: 0, along: 0 }
      const by = Math.max(Math.abs(foundNorm - norm), Math.abs(foundAlong - along)) / norm
      off.push({ what: `the gradient of ${key} (${name})`, by })
    }
  }
  // What is not a number is the furthest off.
  const amount = (by: number): number => (Number.isNaN(by) ? Number.POSITIVE_INFINITY : by)
  const worst = off.reduce((a, b) => (amount(b.by) > amount(a.by) ? b : a))
  if (amount(worst.by) <= TOLERANCE) return
  const wrong = off.filter(({ by }) => !(by <= TOLERANCE)).length
  throw new WrongGradients(
    "unavailable",
    `Backend ${runtime.name} (${runtime.detail}) computes wrong gradients here: ${wrong} of ${off.length} figures of a small model are off, the worst ${worst.what} by ${(100 * worst.by).toPrecision(2)} %`,
    { param: "backend", hint: "Train with --backend native or wasm, or try another driver" },
  )
}

/** What a backend makes of one of the models. */
export async function gradientFigures(runtime: Runtime, name: string): Promise<ModelFigures> {
  const base = await smallBase(name)
  const step = await graphStep({
    ...{ runtime, base },
    method: full.prepare({}),
    env: methodEnv(base, null, 0),
    ...{ maxLength: LENGTH, maxLabelled: ROWS * LENGTH },
  })
  try {
    const batch = smallBatch(base.config.vocabSize)
    const flat = new Float32Array(step.values.length)
    const loss = await step.forwardBackward(batch, 1 / batch.labelled, flat, 0)
    const gradients = step.parameters.map(({ name: key, offset, size }): [string, GradientFigures] => {
      const direction = rng(0, `direction:${key}`)
      let [squares, along] = [0, 0]
      for (const value of flat.subarray(offset, offset + size)) {
        squares += value * value
        along += value * direction.normal()
      }
      return [key, { norm: Math.sqrt(squares), along }]
    })
    return { loss, gradients: Object.fromEntries(gradients) }
  } finally {
    await step.dispose()
  }
}

/** A model with weights of a size at which every block matters. */
async function smallBase(name: string): Promise<Base> {
  const { architecture, config: json } = models[name]!
  const config = architecture.parseConfig(json)
  const tensors = new Map<string, Tensor<"f32">>()
  for (const { name: key, shape } of architecture.weights(config).flatMap(({ parts }) => parts)) {
    const random = rng(0, `weights:${key}`)
    const isGain = shape.length === 1 && !key.endsWith("bias")
    const data = Float32Array.from({ length: sizeOf(shape) }, () => (isGain ? 1 : 0) + 0.3 * random.normal())
    tensors.set(key, f32(shape, data))
  }
  const source = memorySource(tensors)
  const packed = await packWeights(source, architecture.weights(config), { cacheFolder: null })
  return { name, architecture, config, ...packed, hash: packed.weights.hash, read: (key) => source.readF32(key) }
}

function smallBatch(vocabulary: number): Batch {
  const random = rng(0, "tokens")
  const ids = Int32Array.from({ length: ROWS * LENGTH }, () => random.below(vocabulary))
  const labels = ids.map((id, i) => (i % LENGTH < PROMPT ? IGNORE : id))
  const labelled = ROWS * (LENGTH - PROMPT)
  return { rows: ROWS, length: LENGTH, ids, labels, tokens: ids.length, labelled }
}
