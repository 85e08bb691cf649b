/**
 * @module Sequences that come, read prompts in chunks, step together and leave in any order: each row of every step has the
 * logits that its sequence gets alone.
 */
import { afterAll, describe, expect, test } from "bun:test"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { rng } from "../../src/core/rng.ts"
import { f32 } from "../../src/core/tensor.ts"
import type { LoadedAdapter } from "../../src/forms/form.ts"
import type { Base } from "../../src/models/base.ts"
import type { LinearRole } from "../../src/models/site.ts"
import { openBase } from "../../src/presets/open-base.ts"
import { openRuntime } from "../../src/presets/open-runtime.ts"
import type { BoundAdapter, Sequence } from "../../src/serve/decoder.ts"
import { graphDecoder } from "../../src/serve/graph-decoder.ts"
import { servedLinears } from "../../src/serve/lowrank-groups.ts"
import { writeTinyBase } from "../support/tiny-base.ts"

const folder = mkdtempSync(join(tmpdir(), "espalier-batching-"))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

/** LoRA of a rank on every n-th linear layer, or on those of some roles, with virtual tokens before it. */
function adapterOf(base: Base, rank: number, on: number | readonly LinearRole[], virtualTokens: number): LoadedAdapter {
  const random = rng(rank, `adapter:${on}`)
  const drawn = (shape: readonly number[], size: number) =>
    f32(
      shape,
      Float32Array.from({ length: shape.reduce((a, b) => a * b) }, () => size * random.normal()),
    )
  const { hiddenSize } = base.config
  return {
    hash: `rank ${rank}`,
    method: "lora",
    sizeBytes: 0,
    forms: [
      ...servedLinears(base)
        .filter(({ role }, i) => (typeof on === "number" ? i % on === 0 : on.includes(role)))
        .map(({ path, inFeatures, outFeatures }) => ({
          form: "lowrank" as const,
          path,
          a: drawn([rank, inFeatures], 1),
          b: drawn([outFeatures, rank], 0.3),
          scale: 1 / rank,
        })),
      ...(virtualTokens > 0 ? [{ form: "prompt" as const, embeddings: drawn([virtualTokens, hiddenSize], 0.5) }] : []),
    ],
  }
}

interface Track {
  readonly sequence: Sequence
  /** The same sequence in a decoder of its own, stepped alone. */
  readonly alone: Sequence
  readonly capacity: number
}

for (const backend of ["native", "wasm"] as const)
  describe(`continuous batching on ${backend}`, () => {
    test("rows of a step have the logits that they get alone", async () => {
      writeTinyBase(join(folder, backend), 1)
      const { base } = await openBase(join(folder, backend), { cacheFolder: null })
      const { runtime } = await openRuntime(backend, { threads: 1 })
      // One session for all, and one for each kind of adapter, give the same.
      const decoder = await graphDecoder({ runtime, base, fewSessions: backend === "wasm" })
      const single = await graphDecoder({ runtime, base })
      const random = rng(4, "schedule")
      const adapters = [
        adapterOf(base, 4, ["q", "v"], 0),
        adapterOf(base, 2, ["down"], 0),
        adapterOf(base, 1, 1, 0),
        adapterOf(base, 8, 2, 3),
        adapterOf(base, 3, 3, 0),
      ]
      const bound: (readonly [BoundAdapter | null, BoundAdapter | null])[] = [[null, null]]
      for (const adapter of adapters) bound.push([await decoder.bind(adapter), await single.bind(adapter)])
      const tokens = (count: number) => Array.from({ length: count }, () => random.below(base.config.vocabSize))
      const open: Track[] = []
      let widest = 0
      let worst = 0
      const compare = (found: Float32Array, wanted: Float32Array): void => {
        expect(found.length).toBe(wanted.length)
        const largest = wanted.reduce((most, x) => Math.max(most, Math.abs(x)), 0)
        for (let i = 0; i < found.length; i++) worst = Math.max(worst, Math.abs(found[i]! - wanted[i]!) / largest)
      }
      for (let turn = 0; turn < 120; turn++) {
        // What can be made anew is, and nobody sees it.
        if (turn % 50 === 49) await decoder.rest!()
        if (open.length < 7 && random.below(3) === 0) {
          const [ours, theirs] = random.pick(bound)
          const capacity = 20 + random.below(44)
          const sequence = await decoder.open(ours, capacity)
          open.push({ sequence, alone: await single.open(theirs, capacity), capacity })
          const prompt = tokens(1 + random.below(12))
          const cut = random.below(prompt.length)
          const track = open.at(-1)!
          for (const each of [track.sequence, track.alone]) if (cut > 0) await each.append(prompt.slice(0, cut))
          const wanted = (await track.alone.append(prompt.slice(cut))).slice()
          compare(await track.sequence.append(prompt.slice(cut)), wanted)
        }
        if (open.length > 1 && random.below(8) === 0) {
          const [gone] = open.splice(random.below(open.length), 1)
          gone!.sequence.close()
          gone!.alone.close()
        }
        // Any of them, in any order.
        const stepped = random.shuffle(open.filter(() => random.below(4) > 0))
        for (const track of stepped.filter(({ sequence, capacity }) => sequence.length >= capacity)) {
          stepped.splice(stepped.indexOf(track), 1)
          open.splice(open.indexOf(track), 1)
          track.sequence.close()
          track.alone.close()
        }
        if (stepped.length === 0) continue
        widest = Math.max(widest, stepped.length)
        const next = tokens(stepped.length)
        const found = await decoder.step(stepped.map(({ sequence }, i) => ({ sequence, token: next[i]! })))
        const logits = found.map((row) => row.slice())
        for (const [i, { alone, sequence }] of stepped.entries()) {
          compare(logits[i]!, await alone.append([next[i]!]))
          expect(sequence.length).toBe(alone.length)
        }
      }
      expect(widest).toBeGreaterThan(4)
      expect(worst).toBeLessThan(5e-5)
      await decoder.dispose()
      await single.dispose()
      await runtime.dispose()
    }, 60_000)
  })

test("a sequence over its capacity is refused, and no other of the step has changed", async () => {
  writeTinyBase(join(folder, "full"), 1)
  const { base } = await openBase(join(folder, "full"), { cacheFolder: null })
  const { runtime } = await openRuntime("native", { threads: 1 })
  const decoder = await graphDecoder({ runtime, base })
  const [full, free] = [await decoder.open(null, 2), await decoder.open(null, 20)]
  await full.append([3, 4])
  await free.append([5])
  const rows = [free, full].map((sequence) => ({ sequence, token: 6 }))
  expect(decoder.step(rows)).rejects.toThrow("Expected 1 to 0 tokens")
  expect(free.length).toBe(1)
  full.close()
  expect(decoder.step(rows)).rejects.toThrow("closed")
  expect(free.length).toBe(1)
  await decoder.dispose()
  await runtime.dispose()
})

test("a sequence that reuses what was computed has the logits of one that computes it", async () => {
  writeTinyBase(join(folder, "reuse"), 1)
  const { base } = await openBase(join(folder, "reuse"), { cacheFolder: null })
  const { runtime } = await openRuntime("native", { threads: 1 })
  const decoder = await graphDecoder({ runtime, base })
  const one = await decoder.bind(adapterOf(base, 2, 1, 3))
  const tokens = Array.from({ length: 40 }, (_, i) => (7 * i) % base.config.vocabSize)
  const logitsOf = async (adapter: BoundAdapter | null, salt: string | null) => {
    const sequence = await decoder.open(adapter, 60)
    const reused = salt === null ? 0 : sequence.reuse(tokens.slice(0, -1), salt)
    const logits = (await sequence.append(tokens.slice(reused))).slice()
    sequence.close()
    return { reused, logits }
  }
  for (const adapter of [one, null]) {
    const alone = await logitsOf(adapter, null)
    const first = await logitsOf(adapter, "salt")
    const second = await logitsOf(adapter, "salt")
    expect([alone, first, second].map(({ reused }) => reused)).toEqual([0, 0, 32])
    expect(first.logits).toEqual(alone.logits)
    const largest = alone.logits.reduce((most, x) => Math.max(most, Math.abs(x)), 0)
    for (const [i, x] of second.logits.entries()) expect(Math.abs(x - alone.logits[i]!)).toBeLessThan(1e-5 * largest)
    expect((await logitsOf(adapter, "other")).reused).toBe(0)
  }
  await decoder.dispose()
  await runtime.dispose()
})
