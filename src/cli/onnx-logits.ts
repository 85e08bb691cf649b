/**
 * @module Logits of an exported `onnx` folder, asked for as transformers.js does: a prompt first, then what follows it
 * over the keys and values that came back.
 */
import { readFile } from "node:fs/promises"
import { join } from "node:path"
import { f32, i64, type Tensor } from "../core/tensor.ts"
import { DATA_FILE } from "../export/onnx-model.ts"
import type { Base } from "../models/base.ts"
import { openRuntime } from "../presets/open-runtime.ts"

/** Logits after each of the tokens, flat [tokens, vocabulary]. */
export async function onnxLogits(
  folder: string,
  { config: { layers, kvHeads, headDim, vocabSize } }: Base,
  ids: readonly number[],
): Promise<Float32Array> {
  const { runtime } = await openRuntime("native")
  try {
    const model = new Uint8Array(await readFile(join(folder, "onnx", "model.onnx")))
    const data = new Uint8Array(await readFile(join(folder, "onnx", DATA_FILE)))
    // From memory: a session beside the file would leave a graph in the folder.
    const weights = { hash: folder, location: DATA_FILE, size: data.length, path: null, bytes: async () => data }
    const session = await runtime.createSession({ model, weights })
    const logits = new Float32Array(ids.length * vocabSize)
    const parts = Array.from({ length: layers }, (_, i) => [`${i}.key`, `${i}.value`]).flat()
    const nothing = f32([1, kvHeads, 0, headDim], [])
    let past: Record<string, Tensor> = Object.fromEntries(parts.map((part) => [part, nothing]))
    const first = Math.ceil(ids.length / 2)
    for (const [from, to] of [
      [0, first] as const,
      ...ids.slice(first).map((_, i) => [first + i, first + i + 1] as const),
    ]) {
      const count = to - from
      const positions = Array.from({ length: count }, (_, i) => from + i)
      const out = await session.run({
        input_ids: i64([1, count], ids.slice(from, to)),
        position_ids: i64([1, count], positions),
        attention_mask: i64([1, to], new Array<number>(to).fill(1)),
        ...Object.fromEntries(parts.map((part) => [`past_key_values.${part}`, past[part]!])),
      })
      logits.set(out["logits"]!.data as Float32Array, from * vocabSize)
      past = Object.fromEntries(parts.map((part) => [part, out[`present.${part}`]!]))
    }
    await session.dispose()
    return logits
  } finally {
    await runtime.dispose()
  }
}
