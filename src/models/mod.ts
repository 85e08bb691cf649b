/**
 * @module The architectures this version has, and the way from a config.json to one of them.
 */
import { EspalierError } from "../core/errors.ts"
import type { Architecture } from "./architecture.ts"
import { asObject } from "./config-reader.ts"
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
  const type = asObject(json)["model_type"]
  const found = known.find((architecture) => architecture.modelType === type)
  if (found) return found
  throw new EspalierError(
    "unsupported",
    `config.json: model_type ${JSON.stringify(type)} is not an architecture of this version`,
    {
      param: "model_type",
      hint: `Known: ${known.map(({ modelType }) => modelType).join(", ")}`,
    },
  )
}
