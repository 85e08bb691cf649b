import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { writeRandomLora } from "../../../scripts/random-lora.ts"
import type { LoadedAdapter } from "../../../src/forms/form.ts"
import { mergeAdapters } from "../../../src/merge/merge.ts"
import { openBase } from "../../../src/presets/open-base.ts"
import { openEngine } from "../../../src/presets/open-engine.ts"
import { readAdapter } from "../../../src/presets/read-adapter.ts"
import type { EngineApi } from "../../../src/serve/engine-api.ts"
import { createService } from "../../../src/service/service.ts"
import { fakeAdapter } from "../../support/fake-decoder.ts"
import { collect, createFakeEngine, greedyText } from "../../support/fake-engine.ts"
import { writeTinyBase } from "../../support/tiny-base.ts"

setDefaultTimeout(60_000)

async function withAdapters(...names: string[]) {
  const fake = createFakeEngine()
  for (const name of names) await fake.engine.load(name, { adapter: fakeAdapter(name) })
  return fake
}

const start = (engine: EngineApi, adapter: string, maxTokens = 4) =>
  engine.generate({ prompts: [{ text: "x" }], adapter, maxTokens, ignoreEos: true, sampling: { temperature: 0 } })

describe("a merge by request", () => {
  test("answers under the name that it was asked by, and binds each content once", async () => {
    const { engine, decoder } = await withAdapters("a", "b")
    const texts = await Promise.all(
      ["a*0.7+b*0.3", "b*0.3 + a*0.7", "a*0.7+b*0.3"].map((name) => greedyText(engine, "hello", name)),
    )
    expect(new Set(texts).size).toBe(1)
    expect(decoder.books.adapters).toBe(3)
    expect(await greedyText(engine, "hello", "a+b")).not.toBe(texts[0]!)
    const generation = await start(engine, "0.5*a + 0.5*b")
    expect(generation.adapter!.name).toBe("0.5*a + 0.5*b")
    await collect(generation.events)
    expect((await engine.list()).map(({ name }) => name)).toEqual(["a", "b"])
    await engine.close()
    expect(decoder.books).toMatchObject({ adapters: 0, sequences: 0 })
  })

  test("keeps a few and lets the one used longest ago go, but none that still answers", async () => {
    const { engine, decoder } = await withAdapters("a", "b")
    const slow = await start(engine, "a*0.5+b", 40)
    for (let i = 1; i <= 12; i++) await collect((await start(engine, `a*${i}+b`)).events)
    await engine.stats()
    // Two adapters, eight merges, and the one that is being answered.
    expect(decoder.books.adapters).toBeGreaterThanOrEqual(10)
    expect(decoder.books.adapters).toBeLessThanOrEqual(11)
    expect((await collect(slow.events))[0]!.text).toHaveLength(40)
    await collect((await start(engine, "a")).events)
    expect(decoder.books.adapters).toBe(10)
    await engine.close()
    expect(decoder.books.adapters).toBe(0)
  })

  test("is another one once an adapter in it is replaced", async () => {
    const { engine } = await withAdapters("a", "b")
    const before = await start(engine, "a+b")
    await collect(before.events)
    await engine.load("a", { adapter: fakeAdapter("another") }, { replace: true })
    const after = await start(engine, "a+b")
    await collect(after.events)
    expect(after.adapter!.hash).not.toBe(before.adapter!.hash)
    await engine.close()
  })

  test("names the adapters that are missing", async () => {
    const { engine } = await withAdapters("a")
    await expect(start(engine, "a*0.7+nobody*0.3")).rejects.toMatchObject({
      code: "not_found",
      message: 'There is no adapter "nobody" to merge for model "a*0.7+nobody*0.3"',
      hint: "Loaded adapters: a",
    })
    const service = createService({ engine })
    const body = { model: "a+nobody+none", messages: [{ role: "user", content: "x" }] }
    await expect(service.chat(body)).rejects.toThrow('no adapter "nobody", "none" to merge')
    await engine.close()
  })

  test("refuses what is no low-rank update, and what can't be read", async () => {
    const { engine, decoder } = await withAdapters("a")
    await engine.load("prompt", { adapter: fakeAdapter("prompt", 2) })
    await expect(start(engine, "a+prompt")).rejects.toMatchObject({ code: "unsupported" })
    await expect(start(engine, "a*b")).rejects.toMatchObject({ code: "invalid_request" })
    expect(decoder.books.adapters).toBe(2)
    await engine.close()
  })

  test("refuses an adapter whose folder has changed since it was loaded", async () => {
    const { engine } = createFakeEngine()
    let version = 1
    const adapter = {
      ...fakeAdapter("a"),
      get hash() {
        return `${version}`
      },
    }
    await engine.load("a", { adapter })
    version = 2
    await expect(start(engine, "a*2")).rejects.toMatchObject({
      code: "conflict",
      hint: expect.stringContaining("replace"),
    })
    await engine.close()
  })
})

describe("a merge by request of real adapters", () => {
  const root = mkdtempSync(join(tmpdir(), "espalier-request-merge-"))
  const at = (name: string): string => join(root, name)
  let engine: EngineApi
  let merged: LoadedAdapter
  beforeAll(async () => {
    writeTinyBase(at("twig"), 1)
    const open = await openBase(at("twig"))
    await writeRandomLora(open, at("a"), { seed: 1, std: 0.3, settings: { rank: 2, rsLora: true } })
    await writeRandomLora(open, at("b"), { seed: 2, std: 0.3, settings: { rank: 3, targets: ["q_proj", "up_proj"] } })
    const sources = await Promise.all(
      [
        ["a", 0.7],
        ["b", 0.3],
      ].map(async ([name, weight]) => ({
        name: `${name}`,
        weight: Number(weight),
        forms: (await readAdapter(open, at(`${name}`))).forms,
      })),
    )
    const { base } = open
    const sites = base.architecture.sites(base.config)
    const { forms } = await mergeAdapters(sources, { method: "cat" }, { name: base.name, sites, read: base.read })
    merged = { hash: "m".repeat(64), method: "merge", forms, sizeBytes: 0 }
    engine = await openEngine({ base: at("twig"), backend: "native", threads: 1 })
  })
  afterAll(async () => {
    await engine.close()
    rmSync(root, { recursive: true, force: true })
  })

  test("answers as the merged adapter does", async () => {
    await engine.load("a", { path: at("a") })
    await engine.load("b", { path: at("b") })
    await engine.load("merged", { adapter: merged })
    const answers = []
    for (const adapter of ["merged", "a*0.7+b*0.3", "a", "b"])
      answers.push((await collect((await start(engine, adapter, 24)).events))[0]!.text)
    expect(answers[1]).toBe(answers[0]!)
    expect(answers[2]).not.toBe(answers[0]!)
    expect(answers[3]).not.toBe(answers[0]!)
  })
})
