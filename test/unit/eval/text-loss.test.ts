import { expect, test } from "bun:test"
import { join } from "node:path"
import { textLoss } from "../../../src/eval/text-loss.ts"
import { readSafetensors } from "../../../src/formats/safetensors.ts"
import { openBase } from "../../../src/presets/open-base.ts"
import { openRuntime } from "../../../src/presets/open-runtime.ts"
import { graphDecoder } from "../../../src/serve/graph-decoder.ts"
import { fsFolder } from "../../../src/store/folder.ts"
import { createFakeDecoder, fakeAdapter } from "../../support/fake-decoder.ts"

/** The fake's likeliest token has a logit of 10, all others -30. */
const WRONG = 40

/** Expects token n + 1 after token n; of the others it is sure that they don't come. */
const counting = (contextLength: number) =>
  createFakeDecoder({ contextLength, next: (tokens) => (tokens.at(-1)! + 1) % 256 })

test("textLoss() sums the losses of every token but the first", async () => {
  const decoder = counting(100)
  const { tokens, loss } = await textLoss([5, 6, 7, 9, 10, 3], decoder, null)
  expect(tokens).toBe(5)
  expect(loss).toBeCloseTo(2 * WRONG, 4)
  expect(decoder.books.sequences).toBe(0)
})

test("textLoss() finds nothing to predict in a text of one token or none", async () => {
  expect(await textLoss([5], counting(100), null)).toEqual({ tokens: 0, loss: 0 })
  expect(await textLoss([], counting(100), null)).toEqual({ tokens: 0, loss: 0 })
})

test("textLoss() predicts each token of a long text once, windows and virtual tokens notwithstanding", async () => {
  const ids = Array.from({ length: 211 }, (_, i) => (i % 10 === 9 ? 200 : i % 256))
  const wrong = ids.filter((id, i) => i > 0 && id !== ids[i - 1]! + 1).length
  for (const context of [7, 10, 64, 70, 105, 210, 211, 500]) {
    const decoder = counting(context)
    for (const adapter of [null, await decoder.bind(fakeAdapter("a", 4))]) {
      const { tokens, loss } = await textLoss(ids, decoder, adapter)
      expect([context, tokens]).toEqual([context, 210])
      expect(loss / WRONG).toBeCloseTo(wrong, 2)
    }
  }
})

test("textLoss() on a real base is the loss of PyTorch's logits", async () => {
  const at = join(import.meta.dir, "..", "..", "fixtures", "parity", "llama")
  const folder = fsFolder(at)
  const io = JSON.parse(new TextDecoder().decode(await folder.read("io.json"))) as Record<string, number[][]>
  const row = io["attention_mask"]!.findIndex((mask) => mask.every((real) => real === 1))
  const ids = io["input_ids"]![row]!
  const logits = [...readSafetensors(await folder.read("logits.safetensors"), "logits").values()][0]!
  const [, length, vocabulary] = logits.shape as [number, number, number]
  let wanted = 0
  for (let t = 0; t + 1 < length; t++) {
    const from = (row * length + t) * vocabulary
    const line = Array.from(logits.data as Float32Array).slice(from, from + vocabulary)
    wanted += Math.log(line.reduce((sum, x) => sum + Math.exp(x), 0)) - line[ids[t + 1]!]!
  }
  const { runtime } = await openRuntime("native", { threads: 1 })
  const { base } = await openBase(join(at, "base"))
  const decoder = await graphDecoder({ runtime, base })
  const { tokens, loss } = await textLoss(ids, decoder, null)
  await decoder.dispose()
  await runtime.dispose()
  expect(tokens).toBe(length - 1)
  expect(Math.abs(loss / tokens - wanted / tokens)).toBeLessThan(1e-5)
})
