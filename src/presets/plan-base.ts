/**
 * @module A base folder opened for planning: its config.json is enough, and no weight is read.
 */
import { readFileSync } from "node:fs"
import { basename, join, resolve } from "node:path"
import { EspalierError } from "../core/errors.ts"
import type { MethodEnv } from "../method.ts"
import type { Base } from "../models/base.ts"
import { architectureOf } from "../models/mod.ts"
import type { Quantization } from "../models/quantization.ts"
import { baseShape } from "../plan/base-shape.ts"
import { loadTokenizer } from "../text/tokenizer.ts"
import type { Tokenizer } from "../text/tokenizer-contract.ts"
import { methodEnv } from "./method-env.ts"

/** What can be planned with. */
export interface PlanBase {
  readonly base: Base
  readonly env: MethodEnv
}

/**
 * Opens a folder with a config.json. A tokenizer.json in it is read when a method asks for tokens.
 * @throws {EspalierError} `not_found` if there is no config.json, `invalid_file` or `unsupported` for what it says.
 */
export function openPlanBase(path: string, quantize: Quantization | null): PlanBase {
  const json = readJson(path, "config.json")
  const architecture = architectureOf(json)
  const base = baseShape(basename(resolve(path)), architecture, architecture.parseConfig(json), quantize)
  let tokenizer: Tokenizer | null = null
  const env = methodEnv(base, null, 0)
  return {
    base,
    env: {
      ...env,
      encode(text) {
        tokenizer ??= loadTokenizer({ tokenizerJson: readJson(path, "tokenizer.json") })
        return tokenizer.encode(text)
      },
    },
  }
}

function readJson(path: string, file: string): Record<string, unknown> {
  let text: string
  try {
    text = readFileSync(join(path, file), "utf8")
  } catch (cause) {
    throw new EspalierError("not_found", `Base folder ${path} has no ${file}`, {
      param: "base",
      hint: "Point --base at a Hugging Face model folder; its weights need not be there",
      cause,
    })
  }
  try {
    return JSON.parse(text) as Record<string, unknown>
  } catch (cause) {
    throw new EspalierError("invalid_file", `${file} is not valid JSON: ${(cause as Error).message}`, { cause })
  }
}
