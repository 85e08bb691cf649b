/**
 * @module An adapter of any method with random numbers in every tensor, for tests that need files and no skill.
 */
import { methods } from "../../adapters/mod.ts"
import { rng } from "../../src/core/rng.ts"
import { f32, sizeOf } from "../../src/core/tensor.ts"
import { methodEnv } from "../../src/presets/method-env.ts"
import type { OpenBase } from "../../src/presets/open-base.ts"
import { writeAdapterFolder } from "../../src/store/adapter-folder.ts"

/** Writes one. Numbers are normal with deviation `std` about `mean`. */
export async function writeRandomAdapter(
  { base, tokenizer }: OpenBase,
  path: string,
  options: {
    readonly method: string
    readonly settings?: Readonly<Record<string, unknown>>
    readonly seed: number
    readonly mean?: number
    readonly std?: number
  },
): Promise<void> {
  const { settings = {}, seed, mean = 0, std = 0.2 } = options
  const method = methods.find(({ name }) => name === options.method)!.prepare(settings)
  const env = methodEnv(base, tokenizer, seed)
  const random = rng(seed, `random ${options.method}`)
  const specs = method.stored(env).flatMap(({ params }) => params)
  const tensors = new Map(
    specs.map(({ key, shape }) => [
      key,
      f32(
        shape,
        Float32Array.from({ length: sizeOf(shape) }, () => mean + std * random.normal()),
      ),
    ]),
  )
  const config = { ...method.writePeft(env), base_model_name_or_path: base.name, inference_mode: true }
  const facts = { base: { name: base.name, hash: base.hash } }
  await writeAdapterFolder(path, { config, tensors, facts }, "Random numbers, for tests.\n")
}
