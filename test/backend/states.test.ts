/**
 * @module Hidden states out of the decoder: what the output layer makes logits of, whatever pieces a text is read in.
 */
import { afterAll, expect, test } from "bun:test"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { createExclusive } from "../../src/core/exclusive.ts"
import { openBase } from "../../src/presets/open-base.ts"
import { openRuntime } from "../../src/presets/open-runtime.ts"
import { embed } from "../../src/serve/embedding.ts"
import { graphDecoder } from "../../src/serve/graph-decoder.ts"
import { writeTinyBase } from "../support/tiny-base.ts"

const folder = mkdtempSync(join(tmpdir(), "espalier-states-"))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

test("states times the output layer are the logits, and their mean is the embedding", async () => {
  writeTinyBase(folder, 1)
  const { base } = await openBase(folder, { cacheFolder: null })
  const { runtime } = await openRuntime("native", { threads: 1 })
  const decoder = await graphDecoder({ runtime, base })
  const { hiddenSize, vocabSize } = base.config
  const ids = Array.from({ length: 20 }, (_, i) => (11 * i + 3) % vocabSize)
  const whole = await decoder.open(null, 20)
  const logits = (await whole.append(ids, true)).slice()
  const pieces = await decoder.open(null, 20)
  const states = [...(await pieces.states(ids.slice(0, 13))), ...(await pieces.states(ids.slice(13)))]
  expect(states.length).toBe(20 * hiddenSize)
  const table = await base.read("model.embed_tokens.weight")
  const largest = logits.reduce((most, x) => Math.max(most, Math.abs(x)), 0)
  for (let t = 0; t < 20; t++)
    for (let id = 0; id < vocabSize; id += 7) {
      let sum = 0
      for (let i = 0; i < hiddenSize; i++) sum += states[t * hiddenSize + i]! * table[id * hiddenSize + i]!
      expect(Math.abs(sum - logits[t * vocabSize + id]!)).toBeLessThan(1e-4 * largest)
    }
  const vector = await embed(decoder, createExclusive().run, ids, null)
  const mean = Array.from({ length: hiddenSize }, (_, i) => {
    let sum = 0
    for (let t = 0; t < 20; t++) sum += states[t * hiddenSize + i]!
    return sum
  })
  const length = Math.hypot(...mean)
  for (const [i, x] of vector.entries()) expect(x).toBeCloseTo(mean[i]! / length, 5)
  await decoder.dispose()
  await runtime.dispose()
})
