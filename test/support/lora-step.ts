/**
 * @module A step of LoRA on random tokens, for comparing the gradients of one base on several backends.
 */
import { methods } from "../../adapters/mod.ts"
import { rng } from "../../src/core/rng.ts"
import type { Batch } from "../../src/data/batch.ts"
import type { PreparedMethod } from "../../src/method.ts"
import type { Base } from "../../src/models/base.ts"
import { methodEnv } from "../../src/presets/method-env.ts"
import type { Runtime } from "../../src/runtime/runtime.ts"
import { type GraphStep, graphStep } from "../../src/train/graph-step.ts"

/** LoRA of rank 4 on every linear layer, with a part of their inputs dropped. */
export const loraWithDropout = (dropout: number): PreparedMethod =>
  methods.find(({ name }) => name === "lora")!.prepare({ rank: 4, dropout })

/** LoRA of rank 4 on every linear layer. */
export const lora = loraWithDropout(0)

const [ROWS, LENGTH] = [4, 16]

/** Random tokens, every one of them labelled. */
export function randomBatch({ config }: Base): Batch {
  const draw = rng(7, "batch")
  const ids = Int32Array.from({ length: ROWS * LENGTH }, () => draw.below(config.vocabSize))
  return { rows: ROWS, length: LENGTH, ids, labels: ids, tokens: ids.length, labelled: ROWS * (LENGTH - 1) }
}

/** A step whose B is not zero, so that every trainable has a gradient. */
export async function loraStep(runtime: Runtime, base: Base, method = lora): Promise<GraphStep> {
  const env = methodEnv(base, null, 1)
  const step = await graphStep({ runtime, base, method, env, maxLength: LENGTH, maxLabelled: ROWS * LENGTH })
  const draw = rng(3, "start")
  for (let i = 0; i < step.values.length; i++) step.values[i] = 0.05 * draw.normal()
  return step
}

/** Mean loss and gradient of {@link randomBatch}. */
export async function loraGradients(
  runtime: Runtime,
  base: Base,
  method = lora,
): Promise<{ readonly loss: number; readonly gradients: Float32Array }> {
  const step = await loraStep(runtime, base, method)
  const batch = randomBatch(base)
  const gradients = new Float32Array(step.values.length)
  const loss = await step.forwardBackward(batch, 1 / batch.labelled, gradients, 0)
  await step.dispose()
  return { loss, gradients }
}
