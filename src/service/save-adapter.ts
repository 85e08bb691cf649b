/**
 * @module What a run leaves behind: an adapter folder in PEFT's layout, or for full fine-tuning a base folder of its own.
 */
import { adapterForms } from "../adapter-io.ts"
import { EspalierError } from "../core/errors.ts"
import type { Tensor } from "../core/tensor.ts"
import type { LoadedAdapter } from "../forms/form.ts"
import type { MethodEnv, PreparedMethod } from "../method.ts"
import type { Base } from "../models/base.ts"
import { adapterFolderFiles, adapterHash, writeAdapterFolder } from "../store/adapter-folder.ts"
import { wholeBase, writeBaseFolder } from "./base-folder.ts"
import { peftConfig } from "./peft-config.ts"

/** A trained method with its tensors. */
export interface Trained {
  readonly base: Base
  readonly method: PreparedMethod
  readonly env: MethodEnv
  /** What was trained, by key. */
  readonly tensors: ReadonlyMap<string, Tensor<"f32">>
}

/** adapter_config.json of what was trained, or null where PEFT has no such method. */
function configOf({ base, method, env }: Trained): Record<string, unknown> | null {
  const own = method.writePeft(env)
  return own && peftConfig(base, own)
}

/** The adapter as serving wants it, from tensors at hand. */
export async function loadedAdapterOf(trained: Trained): Promise<LoadedAdapter> {
  const { base, method, env } = trained
  const tensors = method.store(env, trained.tensors)
  const sizeBytes = [...tensors.values()].reduce((total, { data }) => total + data.byteLength, 0)
  return adapterForms(
    { hash: adapterHash(configOf(trained) ?? {}, tensors), sizeBytes, config: {}, tensors },
    { method, stored: method.stored(env) },
    (name) => base.read(name),
  )
}

/**
 * The files of an adapter folder, for where there are no folders on disk.
 * @throws {EspalierError} `unsupported` for a method that makes a base of its own
 */
export function trainedFiles(trained: Trained, facts: Record<string, unknown>): ReadonlyMap<string, Uint8Array> {
  const { method, env, tensors } = trained
  const config = configOf(trained)
  if (!config) throw new EspalierError("unsupported", `Method ${method.name} makes a base of its own, and no adapter`)
  return adapterFolderFiles({ config, tensors: method.store(env, tensors), facts }, readme(trained))
}

/**
 * Writes what was trained, whole or not at all.
 * @param facts espalier.json
 * @param baseFiles folder of the base, whose configuration and tokenizer a fully fine-tuned model takes along
 */
export async function saveTrained(
  path: string,
  trained: Trained,
  facts: Record<string, unknown>,
  baseFiles: string,
): Promise<void> {
  const config = configOf(trained)
  if (config) {
    const tensors = trained.method.store(trained.env, trained.tensors)
    await writeAdapterFolder(path, { config, tensors, facts }, readme(trained))
    return
  }
  const weights = await wholeBase(trained.base, trained.tensors)
  await writeBaseFolder(path, { weights, facts, readme: readme(trained), from: baseFiles })
}

function readme({ base, method }: Trained): string {
  if (method.peftType === null)
    return `A full fine-tune of ${base.name}, trained by espalier. Serve it with \`espalier serve --base <this folder>\`.\n`
  return `An adapter for ${base.name} (method ${method.name}), trained by espalier, in PEFT's layout.\n\nServe it with \`espalier serve --base ${base.name} --adapter name=<this folder>\`, or load it with PEFT's \`PeftModel.from_pretrained\`.\n`
}
