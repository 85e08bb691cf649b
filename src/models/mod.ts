/**
 * @module The architectures this version has, and the way from a config.json to one of them.
 */
import { EspalierError } from "../core/errors.ts"
import type { Architecture } from "./architecture.ts"
import { asObject } from "./config-reader.ts"
import { gpt2 } from "./gpt2.ts"
import { llama } from "./llama.ts"
import { qwen2 } from "./qwen2.ts"

/** Every architecture, by `model_type`. */
export const architectures: readonly Architecture[] = [llama, qwen2, gpt2]

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
