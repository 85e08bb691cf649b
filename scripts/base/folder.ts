/**
 * @module The embedded base as a Hugging Face folder, weights in f16.
 */
import { encodeUtf8 } from "../../src/core/bytes.ts"
import { f32ToF16 } from "../../src/core/half.ts"
import type { Tensor } from "../../src/core/tensor.ts"
import { writeSafetensors } from "../../src/formats/safetensors.ts"
import { writeFolderAtomic } from "../../src/store/atomic.ts"
import type { TokenizerJson } from "../../src/text/tokenizer-json.ts"
import { sprigConfig, sprigGenerationConfig, tokenizerConfig } from "./sprig.ts"

const json = (value: unknown): Uint8Array => encodeUtf8(`${JSON.stringify(value, null, 2)}\n`)

/** Replaces the folder in one step; `texts` are further files of it. */
export async function writeBase(
  folder: string,
  weights: ReadonlyMap<string, Tensor<"f32">>,
  tokenizerJson: TokenizerJson,
  texts: Readonly<Record<string, string>> = {},
): Promise<void> {
  const tensors = new Map<string, Tensor>(
    [...weights].map(([name, { shape, data }]) => [name, { dtype: "f16", shape, data: f32ToF16(data) }]),
  )
  await writeFolderAtomic(
    folder,
    new Map([
      ["config.json", json(sprigConfig)],
      ["generation_config.json", json(sprigGenerationConfig)],
      ["model.safetensors", writeSafetensors(tensors)],
      ["tokenizer.json", encodeUtf8(`${JSON.stringify(tokenizerJson)}\n`)],
      ["tokenizer_config.json", json(tokenizerConfig)],
      ...Object.entries(texts).map(([name, text]) => [name, encodeUtf8(text)] as const),
    ]),
  )
}
