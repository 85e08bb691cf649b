/**
 * @module The exported ONNX base on the engines that its readers have, two rows at once, from a prompt to steps of one token,
 * which go another way through its graph: the logits of each row are those of the decoder here, with idle slots too. (Slots are
 * filled by the engine's own adapters, which its JavaScript libraries don't have.)
 */
import { expect, test } from "bun:test"
import { mkdtempSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { f32, i64, type Tensor } from "../../src/core/tensor.ts"
import { openBase } from "../../src/presets/open-base.ts"
import { openRuntime } from "../../src/presets/open-runtime.ts"
import { graphDecoder } from "../../src/serve/graph-decoder.ts"
import { runCli } from "../support/run-cli.ts"

const root = join(import.meta.dir, "..", "fixtures", "parity")
const rows = [
  [5, 9, 31, 7, 2, 60, 41],
  [11, 3, 8, 90, 1, 4, 77],
]
const PROMPT = 5

for (const [name, backend, slots] of [
  ["llama", "wasm", false],
  ["llama", "wasm", true],
  ["llama", "native", true],
  ["gemma2", "wasm", false],
  ["mistral", "wasm", false],
  ["gpt2", "wasm", true],
] as const)
  test(`${name} on ${backend}${slots ? ", with slots" : ""}`, async () => {
    const folder = mkdtempSync(join(tmpdir(), "espalier-exported-"))
    const call = ["export", "--base", join(root, name, "base"), "--to", "onnx", "--out", join(folder, "out")]
    expect((await runCli(...call, ...(slots ? ["--slots"] : []))).err).toBe("")
    const { base } = await openBase(join(root, name, "base"))

    const native = await openRuntime("native", { threads: 1 })
    const decoder = await graphDecoder({ runtime: native.runtime, base })
    const wanted: Float32Array[] = []
    for (const ids of rows) {
      const sequence = await decoder.open(null, ids.length)
      wanted.push((await sequence.append(ids, true)).slice())
      sequence.close()
    }

    const { runtime } = await openRuntime(backend, { threads: 1 })
    const data = new Uint8Array(readFileSync(join(folder, "out", "onnx", "model.onnx_data")))
    const session = await runtime.createSession({
      model: new Uint8Array(readFileSync(join(folder, "out", "onnx", "model.onnx"))),
      weights: { hash: name, location: "model.onnx_data", size: data.length, path: null, bytes: async () => data },
    })
    const { layers, kvHeads, headDim, vocabSize } = base.config
    let past: Record<string, Tensor> = {}
    for (let layer = 0; layer < layers; layer++)
      for (const kind of ["key", "value"]) past[`past_key_values.${layer}.${kind}`] = f32([2, kvHeads, 0, headDim], [])
    let worst = 0
    for (const [from, to] of [
      [0, PROMPT],
      [PROMPT, PROMPT + 1],
      [PROMPT + 1, PROMPT + 2],
    ] as const) {
      const count = to - from
      const found = await session.run({
        ...past,
        input_ids: i64(
          [2, count],
          rows.flatMap((ids) => ids.slice(from, to)),
        ),
        position_ids: i64(
          [2, count],
          rows.flatMap(() => Array.from({ length: count }, (_, i) => from + i)),
        ),
        attention_mask: i64([2, to], new Array<number>(2 * to).fill(1)),
      })
      const logits = found["logits"]!
      expect(logits.shape).toEqual([2, count, vocabSize])
      for (const [row, own] of wanted.entries()) {
        const mine = (logits.data as Float32Array).subarray(row * count * vocabSize, (row + 1) * count * vocabSize)
        for (const [i, x] of mine.entries()) worst = Math.max(worst, Math.abs(x - own[from * vocabSize + i]!))
      }
      past = Object.fromEntries(
        Object.entries(found).flatMap(([key, tensor]) =>
          key.startsWith("present.") ? [[key.replace("present", "past_key_values"), tensor]] : [],
        ),
      )
    }
    expect(worst).toBeLessThan(1e-4)
    await session.dispose()
    await decoder.dispose()
    await runtime.dispose()
    await native.runtime.dispose()
    rmSync(folder, { recursive: true, force: true })
  }, 30_000)
