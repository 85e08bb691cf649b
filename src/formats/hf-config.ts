/**
 * @module The parts of Hugging Face's JSON files that are the same for every architecture.
 */
import { EspalierError } from "../core/errors.ts"

/** What a generation_config.json (or a config.json) says about ending. */
export interface GenerationConfig {
  readonly eosIds: readonly number[]
}

/** Reads stop tokens: `eos_token_id` is a number, a list, or absent. @throws {EspalierError} `invalid_file` */
export function parseGenerationConfig(json: Readonly<Record<string, unknown>>): GenerationConfig {
  const value = json["eos_token_id"] ?? []
  const ids = Array.isArray(value) ? value : [value]
  if (!ids.every((id) => Number.isSafeInteger(id) && id >= 0)) {
    throw new EspalierError(
      "invalid_file",
      `Expected eos_token_id to be token ids but found ${JSON.stringify(value)}`,
      { param: "eos_token_id" },
    )
  }
  return { eosIds: ids as number[] }
}

/** Which file holds each tensor, from model.safetensors.index.json. @throws {EspalierError} `invalid_file` */
export function parseShardIndex(json: unknown): Map<string, string> {
  const map = (json as { weight_map?: unknown } | null)?.weight_map
  if (typeof map !== "object" || map === null)
    throw new EspalierError("invalid_file", "model.safetensors.index.json: expected an object weight_map")
  return new Map(
    Object.entries(map).map(([name, file]) => {
      if (typeof file !== "string" || !/^[\w.-]+\.safetensors$/.test(file)) {
        throw new EspalierError(
          "invalid_file",
          `model.safetensors.index.json: tensor ${name} is said to be in ${(JSON.stringify(file) ?? "").slice(0, 100)}, which is no safetensors file of this folder`,
        )
      }
      return [name, file]
    }),
  )
}
