/**
 * @module Requests of every method at once over one base: each gets what it gets alone.
 */
import { afterAll, expect, test } from "bun:test"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { methods } from "../../adapters/mod.ts"
import { adapterForms } from "../../src/adapter-io.ts"
import { rng } from "../../src/core/rng.ts"
import { methodEnv } from "../../src/presets/method-env.ts"
import { openBase } from "../../src/presets/open-base.ts"
import { openRuntime } from "../../src/presets/open-runtime.ts"
import type { BoundAdapter } from "../../src/serve/decoder.ts"
import type { GenerationEvent } from "../../src/serve/generation.ts"
import { graphDecoder } from "../../src/serve/graph-decoder.ts"
import { defaultSampling } from "../../src/serve/sampling.ts"
import { createScheduler } from "../../src/serve/scheduler.ts"
import { graphStep } from "../../src/train/graph-step.ts"
import { writeTinyBase } from "../support/tiny-base.ts"

const folder = mkdtempSync(join(tmpdir(), "espalier-mixed-"))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const settings: Readonly<Record<string, Record<string, unknown>>> = {
  prompt_tuning: { virtualTokens: 3 },
  p_tuning: { virtualTokens: 2 },
  prefix_tuning: { virtualTokens: 4 },
  vera: { rank: 8 },
}

async function textOf(events: AsyncIterable<GenerationEvent>): Promise<string> {
  let text = ""
  for await (const event of events) if (event.type === "text-delta") text += event.text
  return text
}

test("requests of all methods and of the base, at once, say what each says alone", async () => {
  writeTinyBase(folder, 1)
  const { base, tokenizer } = await openBase(folder, { cacheFolder: null })
  const { runtime } = await openRuntime("native", { threads: 1 })
  const decoder = await graphDecoder({ runtime, base })
  const env = methodEnv(base, tokenizer, 1)
  const bound: (BoundAdapter | null)[] = [null]
  const own = { save: ["lm_head", "norm"], tokens: [1, 2, 3, 40] }
  const all = methods
    .filter(({ peft }) => peft !== null)
    .map((method) => ({ ...method, given: settings[method.name] ?? {} }))
  // Beside them one with an output layer, norms and rows of the token embedding of its own, and one with LoRAs there.
  const lora = all.find(({ name }) => name === "lora")!
  const tables = [own, { targets: ["embed_tokens", "lm_head"] }].map((given, i) => ({
    ...lora,
    name: `tables ${i}`,
    given,
  }))
  for (const { name, prepare, peft, given } of [...all, ...tables]) {
    const method = prepare(given)
    const step = await graphStep({ runtime, base, method, env, maxLength: 8, maxLabelled: 8 })
    const draw = rng(2, name)
    for (let i = 0; i < step.values.length; i++) step.values[i]! += 0.2 * draw.normal()
    const tensors = method.store(env, step.tensors())
    await step.dispose()
    const again = prepare(peft!.read(method.writePeft(env)!))
    const content = { config: {}, tensors, hash: name, sizeBytes: 0 }
    const forms = await adapterForms(content, { method: again, stored: again.stored(env) }, (weight) =>
      base.read(weight),
    )
    const laid = await decoder.layOut!(forms)
    const waited = await decoder.bind(laid)
    // Its session is there now: it is bound at once, unless it has virtual tokens to compute.
    const atOnce = decoder.bindNow!(laid)
    expect(atOnce === null).toBe(laid.virtualTokens > 0)
    bound.push(atOnce ?? waited)
  }
  const scheduler = createScheduler(decoder, tokenizer!, { maxActive: 6 })
  const request = (adapter: BoundAdapter | null) => ({
    promptIds: tokenizer!.encode(" Who is it?"),
    adapter: adapter && { bound: adapter, release: () => {} },
    sampling: { ...defaultSampling, temperature: 0 },
    maxTokens: 12,
    stop: [],
    eosIds: [],
    logprobs: null,
  })
  const alone: string[] = []
  for (const adapter of bound) alone.push(await textOf(scheduler.submit([request(adapter)])[0]!))
  expect(bound.length).toBeGreaterThan(11)
  expect(new Set(alone).size).toBeGreaterThan(bound.length - 3)
  for (let round = 0; round < 3; round++) {
    const order = rng(round, "order").shuffle(bound.map((_, i) => i))
    const together = await Promise.all(scheduler.submit(order.map((i) => request(bound[i]!))).map(textOf))
    expect(together).toEqual(order.map((i) => alone[i]!))
  }
  await scheduler.close()
  await decoder.dispose()
  await runtime.dispose()
}, 60_000)
