/**
 * @module Writes a base: a Hugging Face folder that takes configuration, tokenizer and chat template along from another.
 */
import { readFile } from "node:fs/promises"
import { encodeUtf8 } from "../core/bytes.ts"
import { f32, type Tensor } from "../core/tensor.ts"
import { writeSafetensors } from "../formats/safetensors.ts"
import type { Base } from "../models/base.ts"
import { writeFolderAtomic } from "../store/atomic.ts"

/** A base to be written. */
export interface BaseFolder {
  /** Every weight, by its checkpoint name. */
  readonly weights: ReadonlyMap<string, Tensor<"f32">>
  /** espalier.json. */
  readonly facts: Readonly<Record<string, unknown>>
  readonly readme: string
  /** The folder that everything else comes from. */
  readonly from: string
  /** Fields of config.json that differ. @default none */
  readonly settings?: Readonly<Record<string, unknown>>
}

/** Files beside the weights that a base takes along. */
const TAKEN = ["generation_config.json", "tokenizer.json", "tokenizer_config.json", "chat_template.jinja"]

/** Writes a base folder whole or not at all. */
export async function writeBaseFolder(path: string, folder: BaseFolder): Promise<void> {
  const { weights, facts, readme, from, settings = {} } = folder
  const config = JSON.parse(new TextDecoder().decode(await readFile(`${from}/config.json`))) as Record<string, unknown>
  const json = (value: unknown) => encodeUtf8(`${JSON.stringify(value, null, 2)}\n`)
  const files = new Map<string, Uint8Array>([
    ["model.safetensors", writeSafetensors(weights)],
    ["espalier.json", json(facts)],
    ["README.md", encodeUtf8(readme)],
    // The weights are written as f32.
    ["config.json", json({ ...config, ...settings, dtype: "float32", torch_dtype: "float32" })],
  ])
  for (const [name, bytes] of await takenFiles(from)) files.set(name, bytes)
  await writeFolderAtomic(path, files)
}

/** What a base's folder has of the files beside its weights and its config.json. */
export async function takenFiles(from: string): Promise<Map<string, Uint8Array>> {
  const files = new Map<string, Uint8Array>()
  for (const name of TAKEN) {
    const bytes = await readFile(`${from}/${name}`).catch(() => null)
    if (bytes) files.set(name, new Uint8Array(bytes))
  }
  return files
}

/** Every weight of a base, in the checkpoint's order: the replaced ones, the others as they are, and those that are new. */
export async function wholeBase(
  base: Base,
  replaced: ReadonlyMap<string, Tensor<"f32">>,
): Promise<Map<string, Tensor<"f32">>> {
  const all = new Map<string, Tensor<"f32">>()
  for (const [name, { shape }] of base.layout) all.set(name, replaced.get(name) ?? f32(shape, await base.read(name)))
  for (const [name, weight] of replaced) all.set(name, weight)
  return all
}
