/**
 * @module Adapters read in a thread of their own: what comes over is what would be read here, whatever method made it, and so
 * are errors.
 */
import { afterAll, beforeAll, describe, expect, test } from "bun:test"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { type OpenBase, openBase } from "../../../src/presets/open-base.ts"
import { readServedAdapter } from "../../../src/presets/read-adapter.ts"
import { type AdapterReader, readingThread, readsApart } from "../../../src/presets/reading-thread.ts"
import { layOut, memoryOf } from "../../../src/serve/laid-adapter.ts"
import { createFakeEngine } from "../../support/fake-engine.ts"
import { writeRandomAdapter } from "../../support/random-adapter.ts"
import { writeTinyBase } from "../../support/tiny-base.ts"

const root = mkdtempSync(join(tmpdir(), "espalier-reading-"))
const base = join(root, "base")
const worker = new URL("../../../src/entry/reading-worker.ts", import.meta.url)
const CONTEXT = 64
let open: OpenBase
let reader: AdapterReader

beforeAll(async () => {
  writeTinyBase(base, 1)
  open = await openBase(base, { cacheFolder: null })
  reader = readingThread(worker, { base, baseHash: open.base.hash, contextLength: CONTEXT })
})
afterAll(async () => {
  await reader.close()
  rmSync(root, { recursive: true, force: true })
})

const cases: readonly { readonly method: string; readonly settings?: Readonly<Record<string, unknown>> }[] = [
  { method: "lora", settings: { rank: 3 } },
  { method: "lora", settings: { rank: 2, bias: "all", tokens: [3, 5] } },
  { method: "dora" },
  { method: "ia3" },
  { method: "prompt_tuning" },
  { method: "prefix_tuning" },
  { method: "bottleneck" },
  { method: "ln_tuning" },
]

describe("readingThread()", () => {
  for (const [i, options] of cases.entries())
    test(`${options.method} ${JSON.stringify(options.settings ?? {})} comes over as it is read here, in one piece`, async () => {
      const path = join(root, `${i}`)
      await writeRandomAdapter(open, path, { ...options, seed: i, mean: 0.1 })
      const here = await layOut(open.base, await readServedAdapter(open, path, false), { context: CONTEXT })
      const found = await reader.read(path)
      expect(found).toEqual(here)
      expect(memoryOf(found)).toHaveLength(1)
    })

  test("says what is wrong with a folder, and reads on", async () => {
    const error = await reader.read(join(root, "none")).catch((reason) => reason)
    expect(error).toMatchObject({ code: "not_found", message: "There is no adapter folder none" })
    expect((await reader.read(join(root, "0"))).method).toBe("lora")
  })

  test("reads several at once", async () => {
    const found = await Promise.all(cases.map((_, i) => reader.read(join(root, `${i}`))))
    expect(new Set(found.map(({ hash }) => hash)).size).toBe(cases.length)
  })

  test("refuses an adapter of another base, unless it is to take it", async () => {
    const other = readingThread(worker, { base, baseHash: "f".repeat(64), contextLength: CONTEXT })
    expect(await other.read(join(root, "0")).catch(({ code }) => code)).toBe("adapter_mismatch")
    const forced = readingThread(worker, { base, baseHash: "f".repeat(64), contextLength: CONTEXT, force: true })
    expect((await forced.read(join(root, "0"))).method).toBe("lora")
    await Promise.all([other.close(), forced.close()])
  })

  test("says that a base is not there, and that the thread is none any more", async () => {
    const lost = readingThread(worker, { base: join(root, "no base"), baseHash: "", contextLength: CONTEXT })
    expect(await lost.read(join(root, "0")).catch(({ code }) => code)).toBe("not_found")
    const waiting = lost.read(join(root, "0")).catch((reason) => reason)
    await lost.close()
    expect(["not_found", "unavailable"]).toContain((await waiting).code)
  })
})

test("an engine is given what was read elsewhere, under its path", async () => {
  const { engine } = createFakeEngine()
  const apart = readsApart(engine, reader)
  const path = join(root, "0")
  const { hash } = await reader.read(path)
  expect(await apart.load("a", { path })).toMatchObject({ name: "a", hash, path, method: "lora" })
  const error = await apart.load("b", { path: join(root, "none") }).catch((reason) => reason)
  expect(error.code).toBe("not_found")
  expect((await apart.list()).map(({ name }) => name)).toEqual(["a"])
})
