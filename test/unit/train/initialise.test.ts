import { expect, test } from "bun:test"
import { join } from "node:path"
import { promptTuning } from "../../../adapters/prompt-tuning.ts"
import { methodEnv } from "../../../src/presets/method-env.ts"
import { openBase } from "../../../src/presets/open-base.ts"
import { initialise } from "../../../src/train/initialise.ts"

test("virtual tokens start as a base that scales its embeddings sees tokens", async () => {
  const folder = join(import.meta.dir, "..", "..", "fixtures", "parity", "gemma2", "base")
  const { base } = await openBase(folder, { cacheFolder: null })
  const env = { ...methodEnv(base, null, 0), encode: () => [3, 1] }
  const table = await base.read("model.embed_tokens.weight")
  const width = base.config.hiddenSize
  const values = (settings: Record<string, unknown>): Promise<Float32Array> => {
    const [site] = promptTuning.prepare({ virtualTokens: 3, ...settings }).parameters(env)
    return initialise(site!.params[0]!, base, env, () => Promise.reject(new Error("No keys are asked for")))
  }
  const scale = Math.sqrt(width)
  const wanted = [3, 1, 3].flatMap((id) => [...table.subarray(id * width, (id + 1) * width)].map((x) => x * scale))
  for (const [i, x] of (await values({ init: "text", initText: "ab" })).entries()) expect(x).toBeCloseTo(wanted[i]!, 5)
  const spread = (numbers: Float32Array): number =>
    Math.sqrt(numbers.reduce((sum, x) => sum + x * x, 0) / numbers.length)
  const ratio = spread(await values({ init: "random", virtualTokens: 64 })) / spread(table)
  expect(ratio).toBeGreaterThan(0.9 * scale)
  expect(ratio).toBeLessThan(1.1 * scale)
})
