/**
 * @module More adapters than memory holds, in an engine of its own thread that has them read in another: whatever method made them,
 * each answers as it does alone.
 */
import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { openBase } from "../../src/presets/open-base.ts"
import { openEngine, openEngineWorker } from "../../src/presets/open-engine.ts"
import { openRuntime } from "../../src/presets/open-runtime.ts"
import { readServedAdapter } from "../../src/presets/read-adapter.ts"
import { createEngine } from "../../src/serve/engine.ts"
import type { EngineApi } from "../../src/serve/engine-api.ts"
import { graphDecoder } from "../../src/serve/graph-decoder.ts"
import { type LaidAdapter, memoryOf } from "../../src/serve/laid-adapter.ts"
import { writeRandomAdapter } from "../support/random-adapter.ts"
import { writeTinyBase } from "../support/tiny-base.ts"

setDefaultTimeout(60_000)
const root = mkdtempSync(join(tmpdir(), "espalier-memory-"))
const base = join(root, "base")
const methods = ["lora", "dora", "ia3", "prompt_tuning", "prefix_tuning", "bottleneck", "lora", "ln_tuning"]
const names = methods.map((method, i) => `${method}-${i}`)
const golden = new Map<string, string>()
const settings = { base, backend: "native", threads: 1 } as const
/** The tokens of a greedy answer. */
const say = async (engine: EngineApi, adapter: string): Promise<string> => {
  const prompts = [{ text: "abab" }]
  const { events } = await engine.generate({
    ...{ prompts, adapter, maxTokens: 8, ignoreEos: true, sampling: { temperature: 0 } },
  })
  const ids: number[] = []
  for await (const event of events) if (event.type === "text-delta") ids.push(...event.tokens.map(({ id }) => id))
  return ids.join(" ")
}

const write = async (name: string, seed: number): Promise<void> =>
  writeRandomAdapter(await openBase(base), join(root, name), {
    ...{ method: name.split("-")[0]!, seed, mean: 0.3, std: 1 },
  })

beforeAll(async () => {
  writeTinyBase(base, 1)
  for (const [i, name] of names.entries()) await write(name, i)
  const engine = await openEngine(settings)
  for (const name of names) {
    await engine.load(name, { path: join(root, name) })
    golden.set(name, await say(engine, name))
  }
  await engine.close()
})
afterAll(() => rmSync(root, { recursive: true, force: true }))

test("120 requests at once to eight adapters on three places, each as its adapter alone", async () => {
  expect(new Set(golden.values()).size).toBe(names.length)
  const engine = await openEngineWorker({ ...settings, maxAdapters: 3 })
  for (const name of names) await engine.load(name, { path: join(root, name) })
  for (let round = 0; round < 2; round++) {
    const asked = Array.from({ length: 60 }, (_, i) => names[(i * 5 + round) % names.length]!)
    expect(await Promise.all(asked.map((name) => say(engine, name)))).toEqual(asked.map((name) => golden.get(name)!))
  }
  const adapters = await engine.list()
  expect(adapters.map(({ name }) => name)).toEqual([...names].sort())
  expect(adapters.filter(({ resident }) => resident)).toHaveLength(3)
  expect(adapters.reduce((sum, { reloads }) => sum + reloads, 0)).toBeGreaterThanOrEqual(names.length)
  // A folder that was written anew has none of the words of before, nor of now.
  const away = adapters.find(({ resident, method }) => !resident && method === "lora") ?? adapters[0]!
  for (const { name } of adapters.filter(({ name }) => name !== away.name).slice(0, 3)) await say(engine, name)
  await write(away.name, 99)
  await expect(say(engine, away.name)).rejects.toMatchObject({
    code: "conflict",
    message: `Adapter "${away.name}" has changed since it was loaded`,
  })
  rmSync(join(root, away.name), { recursive: true })
  await expect(say(engine, away.name)).rejects.toMatchObject({ message: expect.stringContaining("is gone from") })
  await engine.close()
})

test("the memory of an adapter that has given way is given back at once, but not that of one whose tensors are the caller's", async () => {
  const open = await openBase(base)
  const { runtime } = await openRuntime("native", { threads: 1 })
  const decoder = await graphDecoder({ runtime, base: open.base })
  const laid: LaidAdapter[] = []
  const engine = createEngine({
    ...{ base: "tiny", baseHash: open.base.hash, backend: runtime.name, tokenizer: open.tokenizer!, maxAdapters: 1 },
    decoder: {
      ...decoder,
      async layOut(adapter, breathe) {
        const found = await decoder.layOut!(adapter, breathe)
        laid.push(found)
        return found
      },
    },
    readAdapter: (path) => readServedAdapter(open, path, true),
  })
  const bytesOf = (adapter: LaidAdapter): number => memoryOf(adapter).reduce((sum, each) => sum + each.byteLength, 0)
  const [first, second] = names as [string, string]
  const sizes: number[] = []
  for (const [i, name] of [first, second].entries()) {
    await write(name, i)
    await engine.load(name, { path: join(root, name) })
    sizes.push(bytesOf(laid.at(-1)!))
    expect(await say(engine, name)).toBe(golden.get(name)!)
  }
  // It has given way while an answer may still be handed out: the memory goes between two steps.
  await engine.rest()
  expect(laid.map(bytesOf)).toEqual([0, sizes[1]!])
  expect(await say(engine, first)).toBe(golden.get(first)!)
  await engine.unload(second)
  await engine.unload(first)
  await engine.load("own", { adapter: await readServedAdapter(open, join(root, first), true) })
  const own = laid.at(-1)!
  await engine.unload("own")
  await engine.rest()
  expect(laid.map((each) => bytesOf(each) > 0)).toEqual([false, false, false, true])
  expect(bytesOf(own)).toBe(sizes[0]!)
  await engine.close()
})
