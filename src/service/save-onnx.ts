/**
 * @module Writes a base as a folder that transformers.js runs: `onnx/model.onnx` with its weights beside it, and the
 * configuration and tokenizer that it was made with.
 */
import { mkdir, open, readFile, writeFile } from "node:fs/promises"
import { join } from "node:path"
import { bytesOf, decodeUtf8, encodeUtf8 } from "../core/bytes.ts"
import type { Tensor } from "../core/tensor.ts"
import { DATA_FILE, type OnnxOptions, onnxModel } from "../export/onnx-model.ts"
import type { Base } from "../models/base.ts"
import { buildFolderAtomic } from "../store/atomic.ts"
import { writeAt } from "../store/file.ts"
import { takenFiles } from "./base-folder.ts"

/**
 * Writes the folder, whole or not at all. Weights go from file to file, one at a time.
 * @param base held as f32
 * @param replaced weights that take the place of the base's own
 * @param from the base's folder
 */
export async function saveOnnx(
  path: string,
  base: Base,
  replaced: ReadonlyMap<string, Tensor<"f32">>,
  from: string,
  options: OnnxOptions = {},
): Promise<void> {
  const config = JSON.parse(decodeUtf8(await readFile(join(from, "config.json")))) as Record<string, unknown>
  const settings = { "transformers.js_config": { dtype: "fp32", use_external_data_format: { "model.onnx": 1 } } }
  const json = encodeUtf8(
    `${JSON.stringify({ ...config, dtype: "float32", torch_dtype: "float32", ...settings }, null, 2)}\n`,
  )
  const taken = await takenFiles(from)
  await buildFolderAtomic(path, async (folder) => {
    await mkdir(join(folder, "onnx"))
    await writeFile(join(folder, "config.json"), json)
    for (const [name, bytes] of taken) await writeFile(join(folder, name), bytes)
    await writeFile(join(folder, "onnx", "model.onnx"), onnxModel(base, options))
    const file = await open(join(folder, "onnx", DATA_FILE), "wx")
    try {
      for (const [name, { offset }] of base.layout)
        await writeAt(file, bytesOf(replaced.get(name)?.data ?? (await base.read(name))), offset)
      await file.sync()
    } finally {
      await file.close()
    }
  })
}
