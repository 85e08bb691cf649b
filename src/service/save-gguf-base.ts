/**
 * @module Writes a GGUF file's base as a Hugging Face folder of f32: a tensor at a time is decoded, and files of about a
 * gigabyte are written.
 */
import { writeFile } from "node:fs/promises"
import { join } from "node:path"
import { encodeUtf8 } from "../core/bytes.ts"
import { EspalierError } from "../core/errors.ts"
import { f32, sizeOf, type Tensor } from "../core/tensor.ts"
import { configFromGguf, ggufName, turnedWeight } from "../export/gguf-base.ts"
import { tokenizerFromGguf } from "../export/gguf-tokenizer.ts"
import { assertFinite } from "../formats/as-f32.ts"
import { decodeGguf } from "../formats/gguf/decode.ts"
import { type GgufSource, readGgufHeader } from "../formats/gguf/read.ts"
import { writeSafetensors } from "../formats/safetensors.ts"
import { architectureOf } from "../models/mod.ts"
import { buildFolderAtomic } from "../store/atomic.ts"

/** Bytes of a file of weights, about. */
const SHARD_BYTES = 2 ** 30

/** What was read, for people. */
export interface GgufBaseReport {
  readonly modelType: string
  readonly tensors: number
  /** Types of the tensors, with how many there are of each. */
  readonly types: Readonly<Record<string, number>>
}

/** Writes the folder, whole or not at all. @throws {EspalierError} `invalid_file`, `unsupported` */
export async function saveGgufBase(path: string, source: GgufSource): Promise<GgufBaseReport> {
  const { metadata, tensors } = await readGgufHeader(source)
  const json = configFromGguf(metadata, new Set(tensors.keys()), source.name)
  const architecture = architectureOf(json)
  const config = architecture.parseConfig(json)
  const files = tokenizerFromGguf(metadata, source.name)
  const parts = architecture.weights(config).flatMap(({ parts }) => parts)
  const wrong = parts.flatMap(({ name, shape }) => {
    const found = tensors.get(ggufName(name))?.shape.join() ?? "none"
    return found === shape.join() ? [] : [`${ggufName(name)}: expected [${shape}] but found [${found}]`]
  })
  if (wrong.length > 0)
    throw new EspalierError(
      "invalid_file",
      `${source.name}: tensors don't fit its settings:\n  ${wrong.slice(0, 12).join("\n  ")}`,
    )
  const shards = shardsOf(parts)
  const fileOf = (i: number): string =>
    shards.length === 1 ? "model.safetensors" : `model-${pad(i + 1)}-of-${pad(shards.length)}.safetensors`
  const json2 = (value: unknown) => encodeUtf8(`${JSON.stringify(value, null, 2)}\n`)
  await buildFolderAtomic(path, async (folder) => {
    for (const [i, shard] of shards.entries()) {
      const weights = new Map<string, Tensor>()
      for (const { name, shape } of shard) {
        const { type, start, end, shape: stored } = tensors.get(ggufName(name))!
        const data = decodeGguf({ type, shape: stored, bytes: await source.read(start, end) })
        assertFinite(data, name, source.name)
        weights.set(name, f32(shape, turnedWeight(name, data, config.modelType, config, true)))
      }
      await writeFile(join(folder, fileOf(i)), writeSafetensors(weights))
    }
    if (shards.length > 1) {
      const weight_map = Object.fromEntries(shards.flatMap((shard, i) => shard.map(({ name }) => [name, fileOf(i)])))
      await writeFile(join(folder, "model.safetensors.index.json"), json2({ metadata: {}, weight_map }))
    }
    await writeFile(join(folder, "config.json"), json2(json))
    await writeFile(join(folder, "tokenizer.json"), json2(files.tokenizer))
    await writeFile(join(folder, "tokenizer_config.json"), json2(files.config))
  })
  const types: Record<string, number> = {}
  for (const { type } of tensors.values()) types[type] = (types[type] ?? 0) + 1
  return { modelType: config.modelType, tensors: tensors.size, types }
}

const pad = (count: number): string => String(count).padStart(5, "0")

type Part = { readonly name: string; readonly shape: readonly number[] }

function shardsOf(parts: readonly Part[]): Part[][] {
  const shards: Part[][] = [[]]
  let bytes = 0
  for (const part of parts) {
    const size = 4 * sizeOf(part.shape)
    if (bytes > 0 && bytes + size > SHARD_BYTES) {
      shards.push([])
      bytes = 0
    }
    shards.at(-1)!.push(part)
    bytes += size
  }
  return shards
}
