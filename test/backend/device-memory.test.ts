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
import { decodingScenario } from "../support/decoding-scenario.ts"
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
