/**
 * @module LoRA adapters of random factors: what benchmarks load, and what tests tell apart by the answers.
 */
import { lora } from "../adapters/lora.ts"
import { rng } from "../src/core/rng.ts"
import { f32, sizeOf } from "../src/core/tensor.ts"
import { methodEnv } from "../src/presets/method-env.ts"
import type { OpenBase } from "../src/presets/open-base.ts"
import { writeAdapterFolder } from "../src/store/adapter-folder.ts"

/** What the factors are like. */
export interface RandomLoraOptions {
  readonly seed: number
  /** Standard deviation of every factor. */
  readonly std: number
  /** LoRA's settings. */
  readonly settings?: Readonly<Record<string, unknown>>
}

/** Writes an adapter of random factors for a base. */
export async function writeRandomLora(
  { base, tokenizer }: OpenBase,
  path: string,
  options: RandomLoraOptions,
): Promise<void> {
  const { seed, std, settings = {} } = options
  const env = methodEnv(base, tokenizer, seed)
  const method = lora.prepare(settings)
  const random = rng(seed, "random-lora")
  const values = (size: number) => Float32Array.from({ length: size }, () => random.normal() * std)
  const specs = method.parameters(env).flatMap(({ params }) => params)
  const tensors = new Map(specs.map(({ key, shape }) => [key, f32(shape, values(sizeOf(shape)))]))
  const config = { ...method.writePeft(env), base_model_name_or_path: base.name, inference_mode: true }
  const facts = { base: { name: base.name, hash: base.hash } }
  await writeAdapterFolder(path, { config, tensors, facts }, "Random factors, for tests and benchmarks.\n")
}
