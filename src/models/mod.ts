/**
 * @module The architectures this version has, and the way from a config.json to one of them.
 */
import { EspalierError } from "../core/errors.ts"
import type { Architecture } from "./architecture.ts"
import { asObject, type Json } from "./config-reader.ts"
import { gemma2 } from "./gemma2.ts"
import { gemma3 } from "./gemma3.ts"
import { gpt2 } from "./gpt2.ts"
import { granite } from "./granite.ts"
import { llama } from "./llama.ts"
import { mistral } from "./mistral.ts"
import { olmo2 } from "./olmo2.ts"
import { phi3 } from "./phi3.ts"
import { qwen2 } from "./qwen2.ts"
import { qwen3 } from "./qwen3.ts"
import { smollm3 } from "./smollm3.ts"

/** Every architecture, by `model_type`. */
export const architectures: readonly Architecture[] = [
  llama,
  smollm3,
  mistral,
  qwen2,
  qwen3,
  gemma2,
  gemma3,
  phi3,
  olmo2,
  granite,
  gpt2,
]

/** The architecture of a config.json. @throws {EspalierError} `unsupported`, with the list of those that are known. */
export function architectureOf(json: unknown, known: readonly Architecture[] = architectures): Architecture {
  const fields = asObject(json)
  const type = fields["model_type"]
  const found = known.find((architecture) => architecture.modelType === type)
  if (found) {
    refuseOthers(fields)
    return found
  }
  throw new EspalierError(
    "unsupported",
    `config.json: model_type ${JSON.stringify(type)} is not an architecture of this version`,
    {
      param: "model_type",
      hint: `Known: ${known.map(({ modelType }) => modelType).join(", ")}${innerHint(fields, known)}`,
    },
  )
}

/** What to know about a model of text and more whose text model is known. */
function innerHint(json: Json, known: readonly Architecture[]): string {
  const text = (json["text_config"] as { readonly model_type?: unknown } | null | undefined)?.model_type
  if (!known.some(({ modelType }) => modelType === text)) return ""
  return `. It holds a ${String(text)}, which this version opens where that is saved in a folder of its own`
}

/** Fields that change what any architecture computes, and that no architecture here reads. */
const foreign: Readonly<Record<string, string>> = {
  quantization_config: "Take the checkpoint that it was made from; --quantize int8 or int4 makes codes of it here",
  compression_config: "Take the checkpoint that it was made from",
  per_layer_config: "Layers of one base have the same settings in this version",
}

/** @throws {EspalierError} `unsupported` naming the field. */
function refuseOthers(json: Json): void {
  for (const [field, hint] of Object.entries(foreign)) {
    const value = json[field]
    if (value === undefined || value === null || Object.keys(value as object).length === 0) continue
    const method = (value as { readonly quant_method?: unknown }).quant_method
    throw new EspalierError(
      "unsupported",
      `config.json: ${field}${typeof method === "string" ? ` (${method})` : ""} can't be read by this version`,
      { param: field, hint },
    )
  }
}
