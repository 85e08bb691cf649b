/**
 * @module LoRAs of different ranks, on different layers, in one batch: each row says what a base says that its LoRA is fused
 * into, where layers that read the same input have their factors in blocks, in one matrix, and alone.
 */
import { afterAll, expect, test } from "bun:test"
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { randomWeights } from "../../scripts/random-base.ts"
import { rng } from "../../src/core/rng.ts"
import { f32, type Tensor } from "../../src/core/tensor.ts"
import { writeSafetensors } from "../../src/formats/safetensors.ts"
import type { LoadedAdapter, LowrankForm } from "../../src/forms/form.ts"
import { fuseAdapters } from "../../src/merge/fuse.ts"
import type { Base } from "../../src/models/base.ts"
import { llama } from "../../src/models/llama.ts"
import { methodEnv } from "../../src/presets/method-env.ts"
import { openBase } from "../../src/presets/open-base.ts"
import { openRuntime } from "../../src/presets/open-runtime.ts"
import { graphDecoder } from "../../src/serve/graph-decoder.ts"
import { lowrankGroups, servedLinears } from "../../src/serve/lowrank-groups.ts"
import { saveFused } from "../../src/service/save-merged-base.ts"

const folder = mkdtempSync(join(tmpdir(), "espalier-lowrank-"))
const { runtime } = await openRuntime("native", { threads: 1 })
afterAll(async () => {
  rmSync(folder, { recursive: true, force: true })
  await runtime.dispose()
})

const fixture = (name: string): string => join(import.meta.dir, "..", "fixtures", "parity", name, "base")

/** Llama of so many heads. */
function writeHeads(heads: number, kvHeads: number): string {
  const config = {
    ...JSON.parse(readFileSync(join(fixture("llama"), "config.json"), "utf8")),
    ...{ hidden_size: 8 * heads, num_attention_heads: heads, num_key_value_heads: kvHeads, head_dim: 8 },
  }
  const path = join(folder, `heads ${heads} ${kvHeads}`)
  mkdirSync(path)
  writeFileSync(join(path, "config.json"), JSON.stringify(config))
  const weights = randomWeights(llama, llama.parseConfig(config), 1)
  writeFileSync(join(path, "model.safetensors"), writeSafetensors(weights))
  return path
}

/** A LoRA of the ranks that are wanted of each layer, 0 for none. */
function loraOf(base: Base, hash: string, rankOf: (path: string, i: number) => number): LoadedAdapter {
  const random = rng(7, hash)
  const drawn = (...shape: [number, number]): Tensor<"f32"> =>
    f32(
      shape,
      Float32Array.from({ length: shape[0] * shape[1] }, () => 0.2 * random.normal()),
    )
  const forms = servedLinears(base).flatMap(({ path, inFeatures, outFeatures }, i): LowrankForm[] => {
    const rank = rankOf(path, i)
    const factors = () => ({ a: drawn(rank, inFeatures), b: drawn(outFeatures, rank) })
    return rank === 0 ? [] : [{ form: "lowrank", path, scale: 0.5, ...factors() }]
  })
  return { hash, method: "lora", forms, sizeBytes: 0 }
}

const PROMPT = [1, 3, 5, 60, 7]
const NEXT = [9, 2]

/** Logits after the prompt and after each of the next tokens. */
async function logitsOf(base: Base, adapters: readonly (LoadedAdapter | null)[]): Promise<Float32Array[][]> {
  const decoder = await graphDecoder({ runtime, base, contextLength: 16 })
  const bound = []
  for (const adapter of adapters) bound.push(adapter && (await decoder.bind(adapter)))
  const sequences = []
  for (const each of bound) sequences.push(await decoder.open(each, 16))
  const found: Float32Array[][] = []
  for (const sequence of sequences) found.push([(await sequence.append(PROMPT)).slice()])
  for (const token of NEXT) {
    const logits = await decoder.step(sequences.map((sequence) => ({ sequence, token })))
    for (const [row, own] of logits.entries()) found[row]!.push(own.slice())
  }
  for (const sequence of sequences) sequence.close()
  await decoder.dispose()
  return found
}

/** The base with an adapter fused in, as a folder of its own. */
async function fusedBase(base: Base, path: string, adapter: LoadedAdapter, out: string): Promise<Base> {
  const sources = [{ name: "a", hash: "", method: "lora", forms: adapter.forms, weight: 1 }]
  const recipe = { method: "linear" } as const
  const { sites } = methodEnv(base, null, 1)
  const fused = await fuseAdapters(sources, recipe, { name: base.name, sites, read: base.read })
  await saveFused(out, fused, { base, recipe, sources } as never, path)
  return (await openBase(out, { cacheFolder: null })).base
}

const cases: readonly (readonly [name: string, path: string, blocks: readonly (number | undefined)[]])[] = [
  ["llama", fixture("llama"), [4, undefined, 2, undefined]],
  ["qwen2", fixture("qwen2"), [4, undefined, 2, undefined]],
  ["gpt2", fixture("gpt2"), [undefined, undefined, undefined, undefined]],
  ["phi3", fixture("phi3"), [undefined, undefined, undefined, undefined]],
  ["as many heads of keys", writeHeads(2, 2), [3, undefined, 2, undefined]],
  // More blocks than are worth a product each.
  ["nine heads to one of keys", writeHeads(9, 1), [undefined, undefined, 2, undefined]],
]

for (const [name, path, blocks] of cases)
  test(name, async () => {
    const { base } = await openBase(path, { cacheFolder: null })
    expect(
      lowrankGroups(base)
        .slice(0, blocks.length)
        .map((group) => group.blocks?.sites.length),
    ).toEqual([...blocks])
    const isAttended = (layer: string): boolean => /(q_proj|v_proj|qkv_proj|c_attn)$/.test(layer)
    const adapters = [
      null,
      loraOf(base, "all", () => 3),
      loraOf(base, "queries and values", (layer) => (isAttended(layer) ? 2 : 0)),
      loraOf(base, "ranks of their own", (_, i) => (i * 5) % 4),
    ]
    const wanted = [(await logitsOf(base, [null]))[0]!]
    for (const [i, adapter] of adapters.entries()) {
      if (adapter === null) continue
      const fused = await fusedBase(base, path, adapter, join(folder, `${name} ${i}`))
      wanted.push((await logitsOf(fused, [null]))[0]!)
    }
    const found = await logitsOf(base, adapters)
    const worst = (a: Float32Array, b: Float32Array): number => Math.max(...a.map((x, i) => Math.abs(x - b[i]!)))
    for (const [row, steps] of found.entries())
      for (const [step, logits] of steps.entries()) expect(worst(logits, wanted[row]![step]!)).toBeLessThan(1e-4)
    // They are far enough apart for that to say something.
    expect(worst(wanted[1]![2]!, wanted[3]![2]!)).toBeGreaterThan(0.01)
  })
