/**
 * @module A base with an adapter's own tables fused in says what the adapter says beside the frozen base: also where one table
 * was the token embedding and the output layer, and is two then.
 */
import { afterAll, expect, test } from "bun:test"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { lora } from "../../adapters/lora.ts"
import { adapterForms } from "../../src/adapter-io.ts"
import { rng } from "../../src/core/rng.ts"
import { fuseAdapters } from "../../src/merge/fuse.ts"
import { methodEnv } from "../../src/presets/method-env.ts"
import { openBase } from "../../src/presets/open-base.ts"
import { openRuntime } from "../../src/presets/open-runtime.ts"
import type { BoundAdapter } from "../../src/serve/decoder.ts"
import { graphDecoder } from "../../src/serve/graph-decoder.ts"
import { saveFused } from "../../src/service/save-merged-base.ts"
import { graphStep } from "../../src/train/graph-step.ts"

const folder = mkdtempSync(join(tmpdir(), "espalier-tables-"))
const { runtime } = await openRuntime("native", { threads: 1 })
afterAll(async () => {
  rmSync(folder, { recursive: true, force: true })
  await runtime.dispose()
})

const settings: readonly (readonly [base: string, stays: boolean, given: Record<string, unknown>])[] = [
  ["llama", false, { rank: 2, save: ["embed_tokens"] }],
  ["llama", false, { rank: 2, targets: ["q_proj", "lm_head"] }],
  ["llama", true, { rank: 2, tokens: [3, 5, 60] }],
  ["mistral", false, { rank: 2, targets: ["embed_tokens"], save: ["lm_head", "norm"] }],
  ["gpt2", false, { rank: 2, save: ["wte"] }],
]

for (const [i, [name, staysTied, given]] of settings.entries())
  test(`${name}: ${JSON.stringify(given)}`, async () => {
    const path = join(import.meta.dir, "..", "fixtures", "parity", name, "base")
    const { base } = await openBase(path)
    const env = methodEnv(base, null, 1)
    const method = lora.prepare(given)
    const step = await graphStep({ runtime, base, method, env, maxLength: 8, maxLabelled: 8 })
    const draw = rng(3, "move")
    for (let k = 0; k < step.values.length; k++) step.values[k]! += 0.05 * draw.normal()
    const tensors = method.store(env, step.tensors())
    await step.dispose()
    const adapter = await adapterForms(
      { hash: "", sizeBytes: 0, config: {}, tensors },
      { method, stored: method.stored(env) },
      (weight) => base.read(weight),
    )
    const sources = [{ name: "a", hash: "", method: "lora", forms: adapter.forms, weight: 1 }]
    const recipe = { method: "linear" } as const
    const fused = await fuseAdapters(sources, recipe, { name: base.name, sites: env.sites, read: base.read })
    const out = join(folder, String(i))
    await saveFused(out, fused, { base, recipe, sources } as never, path)
    const opened = await openBase(out, { cacheFolder: null })
    expect(opened.base.config.tiedHead).toBe(staysTied)

    const logits = async (of: typeof base, bind: boolean): Promise<Float32Array> => {
      const decoder = await graphDecoder({ runtime, base: of })
      const bound: BoundAdapter | null = bind ? await decoder.bind(adapter) : null
      const sequence = await decoder.open(bound, 8)
      const found = (await sequence.append([1, 3, 5, 60, 7, 2, 9, 3], true)).slice()
      sequence.close()
      await decoder.dispose()
      return found
    }
    const [beside, within] = [await logits(base, true), await logits(opened.base, false)]
    expect(Math.max(...beside.map((x, k) => Math.abs(x - within[k]!)))).toBeLessThan(1e-4)
  })
