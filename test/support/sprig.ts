/**
 * @module The embedded base in tests, and adapters for it that were never trained: random factors, each with outputs of
 * its own.
 */
import { join } from "node:path"
import { lora } from "../../adapters/lora.ts"
import { rng } from "../../src/core/rng.ts"
import { f32, sizeOf } from "../../src/core/tensor.ts"
import { methodEnv } from "../../src/presets/method-env.ts"
import { type OpenBase, openBase } from "../../src/presets/open-base.ts"
import { writeAdapterFolder } from "../../src/store/adapter-folder.ts"

/** Folder of the embedded base. */
export const sprigFolder = join(import.meta.dir, "..", "..", "models", "sprig")

let opened: Promise<OpenBase> | null = null
/** The embedded base, opened once. */
export const openSprig = (): Promise<OpenBase> => {
  opened ??= openBase(sprigFolder)
  return opened
}

/** Writes a LoRA adapter of random factors, large enough to change what is said. */
export async function writeRandomLora(
  path: string,
  seed: number,
  settings: Record<string, unknown> = {},
): Promise<void> {
  const { base, tokenizer } = await openSprig()
  const env = methodEnv(base, tokenizer, seed)
  const method = lora.prepare(settings)
  const random = rng(seed, "random-lora")
  const tensors = new Map(
    method.parameters(env).flatMap(({ params }) =>
      params.map(
        ({ key, shape }) =>
          [
            key,
            f32(
              shape,
              Float32Array.from({ length: sizeOf(shape) }, () => random.normal() * 0.08),
            ),
          ] as const,
      ),
    ),
  )
  const config = { ...method.writePeft(env), base_model_name_or_path: base.name, inference_mode: true }
  await writeAdapterFolder(
    path,
    { config, tensors, facts: { base: { name: base.name, hash: base.hash } } },
    "Random factors, for tests.\n",
  )
}
