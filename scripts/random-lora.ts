/**
 * @module LoRA adapters of random factors: what benchmarks load, and what tests tell apart by the answers.
 */
import { lora } from "../adapters/lora.ts"
import { type Rng, rng } from "../src/core/rng.ts"
import { f32, sizeOf } from "../src/core/tensor.ts"
import type { LoadedAdapter } from "../src/forms/form.ts"
import type { Base } from "../src/models/base.ts"
import { methodEnv } from "../src/presets/method-env.ts"
import type { OpenBase } from "../src/presets/open-base.ts"
import { servedLinears } from "../src/serve/lowrank-groups.ts"
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

/** What a LoRA in memory is like. */
export interface LoadedLora {
  readonly random: Rng
  readonly hash: string
  readonly rank: number
  readonly scale: number
  /** Standard deviation of A's values, by the width of what it reads. */
  readonly stdA: (inFeatures: number) => number
  readonly stdB: number
  /** Names of the layers that it acts on; null for all. */
  readonly targets: readonly string[] | null
}

/** A LoRA of random factors as an engine loads it. */
export function randomLora(base: Base, options: LoadedLora): LoadedAdapter {
  const { random, hash, rank, scale, stdA, stdB, targets } = options
  const drawn = (shape: readonly [number, number], std: number) =>
    f32(
      shape,
      Float32Array.from({ length: shape[0] * shape[1] }, () => std * random.normal()),
    )
  const forms = servedLinears(base)
    .filter(({ path }) => targets === null || targets.includes(path.split(".").at(-1)!))
    .map(({ path, inFeatures, outFeatures }) => ({
      form: "lowrank" as const,
      path,
      a: drawn([rank, inFeatures], stdA(inFeatures)),
      b: drawn([outFeatures, rank], stdB),
      scale,
    }))
  return { hash, method: "lora", forms, sizeBytes: 0 }
}
