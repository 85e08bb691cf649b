/**
 * @module Caches and adapters that stay in an engine's own memory: decoding gives what it gives without, feeds caches anew only where
 * a batch has changed, and gives everything back.
 */
import { afterAll, expect, test } from "bun:test"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { openBase } from "../../src/presets/open-base.ts"
import { openRuntime } from "../../src/presets/open-runtime.ts"
import type { Runtime } from "../../src/runtime/runtime.ts"
import { graphDecoder } from "../../src/serve/graph-decoder.ts"
import { decodingScenario, formsOf } from "../support/decoding-scenario.ts"
import { deviceRuntime } from "../support/device-runtime.ts"
import { writeTinyBase } from "../support/tiny-base.ts"

const folder = mkdtempSync(join(tmpdir(), "espalier-device-"))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

for (const lowering of ["fused", "standard"] as const)
  test(`sequences on adapters come and go, under the ${lowering} lowering`, async () => {
    writeTinyBase(folder, 1)
    const { base } = await openBase(folder, { cacheFolder: null })
    const { runtime } = await openRuntime("native", { threads: 1 })
    const plain = { ...runtime, lowering }
    const wanted = await decodingScenario(plain, base)
    const { runtime: device, counts } = deviceRuntime(plain)
    const found = await decodingScenario(device, base)
    await runtime.dispose()
    expect(found.length).toBe(wanted.length)
    expect(Math.max(...found.map((x, i) => Math.abs(x - wanted[i]!)))).toBeLessThan(1e-5)
    // The virtual tokens, two parts of each prompt, and 14 steps: fed where a sequence or a batch begins.
    expect([counts.fed, counts.kept, counts.live]).toEqual([8, 13, 0])
    expect(counts.uploads).toBeGreaterThan(0)
  })

for (const lacking of ["upload", "session"] as const)
  test(`an adapter whose ${lacking} is refused is bound when it is asked for again, and keeps nothing from being given back`, async () => {
    writeTinyBase(folder, 1)
    const { base } = await openBase(folder, { cacheFolder: null })
    const { runtime } = await openRuntime("native", { threads: 1 })
    const { runtime: device, counts } = deviceRuntime({ ...runtime, lowering: "standard" })
    let refuses = false
    let sessions = 0
    const refuse = async <T>(work: () => Promise<T>): Promise<T> => {
      if (refuses) throw new Error("failed to allocate a buffer")
      return work()
    }
    const scarce: Runtime = {
      ...device,
      upload: (tensor) => (lacking === "upload" ? refuse(() => device.upload!(tensor)) : device.upload!(tensor)),
      async createSession(spec) {
        const session = await (lacking === "session"
          ? refuse(() => device.createSession(spec))
          : device.createSession(spec))
        sessions++
        return { ...session, dispose: () => session.dispose().then(() => void sessions--) }
      },
    }
    const decoder = await graphDecoder({ runtime: scarce, base })
    const adapter = { method: "lora", forms: formsOf(base, 2, 4, true), hash: "1", sizeBytes: 0 }
    refuses = true
    await expect(decoder.bind(adapter)).rejects.toThrow("failed to allocate")
    const plain = await decoder.open(null, 8)
    const before = (await plain.append([3, 4])).slice()
    refuses = false
    const sequence = await decoder.open(await decoder.bind(adapter), 16)
    expect((await sequence.append([3, 4])).slice()).not.toEqual(before)
    refuses = true
    const other = await decoder.bind({ ...adapter, forms: formsOf(base, 1, 2, false), hash: "2" })
    const hungry = await decoder.open(other, 16)
    if (lacking === "upload") await expect(hungry.append([3])).rejects.toThrow("failed to allocate")
    for (const each of [plain, sequence, hungry]) each.close()
    await decoder.dispose()
    expect([sessions, counts.live]).toEqual([0, 0])
    await runtime.dispose()
  })
