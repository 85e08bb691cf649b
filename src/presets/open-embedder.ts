/**
 * @module The embedder that an option names: the base's own states, or a feature-extraction model for transformers.js.
 */
import { readFile, stat } from "node:fs/promises"
import { basename, dirname, join, resolve } from "node:path"
import { baseEmbedder } from "../answering/base-embedder.ts"
import { EspalierError } from "../core/errors.ts"
import { sha256Hex } from "../core/hash.ts"
import type { Embedder } from "../rag/embedder.ts"
import { type LocalModel, transformersEmbedder } from "../rag/transformers-embedder.ts"
import type { EngineApi } from "../serve/engine-api.ts"

/**
 * Opens an embedder; null for none.
 * @param name `none`, `base`, or the id or the folder of a model
 * @param engine the engine whose base embeds; needed for `base`
 * @throws {EspalierError} `unavailable` if transformers.js is needed and not installed, `not_found` for a model that can't be
 *   loaded
 */
export async function openEmbedder(
  name: string | undefined,
  engine?: () => Promise<Pick<EngineApi, "embed" | "info">>,
): Promise<Embedder | null> {
  if (name === undefined || name === "none") return null
  if (name !== "base") return transformersEmbedder(name, { local: await localModel(name) })
  if (!engine) throw new TypeError("Expected an engine for the base's states")
  return baseEmbedder(await engine())
}

/** Model files in the order that they are looked for: as exported, and as transformers.js 2 quantises them. */
const files = ["model.onnx", "model_quantized.onnx"]

/** A model's folder; null for what is none. @throws {EspalierError} `not_found` for one without a model */
async function localModel(name: string): Promise<LocalModel | null> {
  const path = resolve(name)
  const found = await stat(path).catch(() => null)
  if (!found?.isDirectory()) return null
  for (const file of files) {
    const bytes = await readFile(join(path, "onnx", file)).catch(() => null)
    if (!bytes) continue
    // Another model in the same folder is another embedder.
    const sha256 = await sha256Hex(bytes)
    return { root: dirname(path), name: basename(path), quantized: file === files[1], sha256 }
  }
  throw new EspalierError(
    "not_found",
    `The folder ${name} has none of ${files.map((file) => `onnx/${file}`).join(", ")}`,
    {
      hint: "Export the model with optimum, or take one whose name ends in -ONNX from the hub",
      param: "embedder",
    },
  )
}
