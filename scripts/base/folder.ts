/**
 * @module The embedded base as a Hugging Face folder, weights in f16.
 */
import { mkdir } from "node:fs/promises"
import { join } from "node:path"
import { encodeUtf8 } from "../../src/core/bytes.ts"
import { f32ToF16 } from "../../src/core/half.ts"
import { f32, type Tensor } from "../../src/core/tensor.ts"
import { writeSafetensors } from "../../src/formats/safetensors.ts"
import { writeFileAtomic } from "../../src/store/atomic.ts"
import { openCheckpoint } from "../../src/store/checkpoint-reader.ts"
import { fsFolder } from "../../src/store/folder.ts"
import type { TokenizerJson } from "../../src/text/tokenizer-json.ts"
import { sprigConfig, sprigGenerationConfig, tokenizerConfig } from "./sprig.ts"

const json = (value: unknown): Uint8Array => encodeUtf8(`${JSON.stringify(value, null, 2)}\n`)

/**
 * Writes the base's files, each in one step; what else lies in the folder (a retrieval profile, say) stays.
 * @param texts further files
 */
export async function writeBase(
  folder: string,
  weights: ReadonlyMap<string, Tensor<"f32">>,
  tokenizerJson: TokenizerJson,
  texts: Readonly<Record<string, string>> = {},
): Promise<void> {
  const tensors = new Map<string, Tensor>(
    [...weights].map(([name, { shape, data }]) => [name, { dtype: "f16", shape, data: f32ToF16(data) }]),
  )
  const files: readonly (readonly [string, Uint8Array])[] = [
    ["config.json", json(sprigConfig)],
    ["generation_config.json", json(sprigGenerationConfig)],
    ["model.safetensors", writeSafetensors(tensors)],
    ["tokenizer.json", encodeUtf8(`${JSON.stringify(tokenizerJson)}\n`)],
    ["tokenizer_config.json", json(tokenizerConfig)],
    ...Object.entries(texts).map(([name, text]) => [name, encodeUtf8(text)] as const),
  ]
  await mkdir(folder, { recursive: true })
  for (const [name, bytes] of files) await writeFileAtomic(join(folder, name), bytes)
}

/**
 * The mean of bases of one shape.
 * @param shares of each folder, by path; they sum to 1
 */
export async function meanOfBases(shares: ReadonlyMap<string, number>): Promise<ReadonlyMap<string, Tensor<"f32">>> {
  const mean = new Map<string, Tensor<"f32">>()
  for (const [folder, share] of shares) {
    const checkpoint = await openCheckpoint(fsFolder(folder))
    for (const [name, { shape }] of checkpoint.tensors) {
      const data = await checkpoint.readF32(name)
      const sum = mean.get(name) ?? f32(shape, new Float32Array(data.length))
      for (let i = 0; i < data.length; i++) sum.data[i]! += share * data[i]!
      mean.set(name, sum)
    }
  }
  return mean
}
