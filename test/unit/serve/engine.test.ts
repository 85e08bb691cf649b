/**
 * @module The engine in this thread: adapters by name, versions that outlive their names, choices on one version.
 */
import { describe, expect, test } from "bun:test"
import { fakeAdapter } from "../../support/fake-decoder.ts"
import { collect, createFakeEngine, greedyText } from "../../support/fake-engine.ts"

const long = { maxTokens: 60, ignoreEos: true, sampling: { temperature: 0 } }

describe("engine", () => {
  test("answers 20 alternating requests to 3 adapters and the base as each alone", async () => {
    const { engine, decoder } = createFakeEngine()
    const names = [null, "a", "b", "c"] as const
    for (const name of names) if (name !== null) await engine.load(name, { adapter: fakeAdapter(name) })
    const alone = new Map<string | null, string>()
    for (const name of names) alone.set(name, await greedyText(engine, "hello", name))
    expect(new Set(alone.values()).size).toBe(4)
    const mixed = Array.from({ length: 20 }, (_, i) => names[i % 4]!)
    const texts = await Promise.all(mixed.map((name) => greedyText(engine, "hello", name)))
    expect(texts).toEqual(mixed.map((name) => alone.get(name)!))
    expect(decoder.books).toMatchObject({ sequences: 0, adapters: 3 })
  })

  test("ends a generation on the version that it began with, and frees that version afterwards", async () => {
    const { engine, decoder } = createFakeEngine()
    await engine.load("a", { adapter: fakeAdapter("first") })
    const reference = (
      await collect((await engine.generate({ prompts: [{ text: "x" }], adapter: "a", ...long })).events)
    )[0]!
    const started = await engine.generate({ prompts: [{ text: "x" }], adapter: "a", ...long })
    await engine.load("a", { adapter: fakeAdapter("second") }, { replace: true })
    expect(decoder.books.adapters).toBe(2)
    const after = await engine.generate({ prompts: [{ text: "x" }], adapter: "a", ...long })
    const [old, fresh] = await Promise.all([collect(started.events), collect(after.events)])
    expect(started.adapter!.hash).toBe(fakeAdapter("first").hash)
    expect(after.adapter!.hash).toBe(fakeAdapter("second").hash)
    expect(old[0]).toEqual(reference)
    expect(fresh[0]!.text).not.toBe(reference.text)
    await engine.stats()
    await engine.unload("a")
    expect(decoder.books.adapters).toBe(0)
  })

  test("unloading takes the name at once and the version when its last generation ends", async () => {
    const { engine, decoder } = createFakeEngine()
    await engine.load("a", { adapter: fakeAdapter("a") })
    const { events } = await engine.generate({ prompts: [{ text: "x" }], adapter: "a", ...long })
    await engine.unload("a")
    expect(await engine.list()).toEqual([])
    await expect(engine.generate({ prompts: [{ text: "x" }], adapter: "a" })).rejects.toMatchObject({
      code: "not_found",
    })
    expect(decoder.books.adapters).toBe(1)
    expect((await collect(events))[0]!.text).toHaveLength(60)
    await engine.close()
    expect(decoder.books.adapters).toBe(0)
    expect(decoder.disposed).toBe(true)
  })

  test("keeps everything as it was when a load fails", async () => {
    const { engine, decoder } = createFakeEngine({ maxAdapters: 2 })
    await engine.load("a", { adapter: fakeAdapter("a") })
    const before = await engine.list()
    const misfit = {
      ...fakeAdapter("m"),
      forms: [
        { form: "bias" as const, path: "x", vector: { dtype: "f32" as const, shape: [0], data: new Float32Array(0) } },
      ],
    }
    await expect(engine.load("a", { adapter: misfit }, { replace: true })).rejects.toMatchObject({
      code: "adapter_mismatch",
    })
    await expect(engine.load("a", { path: "/srv/adapters/broken" }, { replace: true })).rejects.toMatchObject({
      code: "invalid_file",
    })
    await expect(engine.load("a", { adapter: fakeAdapter("b") })).rejects.toMatchObject({ code: "conflict" })
    await expect(engine.unload("b")).rejects.toMatchObject({ code: "not_found" })
    await engine.load("b", { adapter: fakeAdapter("b") })
    await expect(engine.load("c", { path: "/srv/adapters/c" })).rejects.toMatchObject({ code: "conflict" })
    await engine.unload("b")
    expect(await engine.list()).toEqual(before)
    expect(decoder.books.adapters).toBe(1)
  })

  test("lets one of two simultaneous loads of a name win", async () => {
    const { engine, decoder } = createFakeEngine()
    const results = await Promise.allSettled(["x", "y"].map((seed) => engine.load("a", { adapter: fakeAdapter(seed) })))
    expect(results.map((result) => result.status).sort()).toEqual(["fulfilled", "rejected"])
    expect(decoder.books.adapters).toBe(1)
  })

  test("1,000 swaps under load: every answer is its version's own", async () => {
    const { engine, decoder } = createFakeEngine()
    const golden = new Map<string, string>()
    for (const seed of ["p", "q", "r"]) {
      await engine.load("a", { adapter: fakeAdapter(seed) }, { replace: true })
      golden.set(fakeAdapter(seed).hash, await greedyText(engine, "swap", "a", 6))
    }
    expect(new Set(golden.values()).size).toBe(3)
    let swaps = 0
    let answers = 0
    const enough = (): boolean => swaps >= 1000 && answers >= 300
    const swapping = (async () => {
      for (; !enough(); swaps++) {
        await engine.load("a", { adapter: fakeAdapter("pqr"[swaps % 3]!) }, { replace: true })
        // Requests to load come from outside, one event at a time.
        await new Promise((resolve) => setImmediate(resolve))
      }
    })()
    const ask = async (): Promise<void> => {
      while (!enough()) {
        const request = { prompts: [{ text: "swap" }], adapter: "a", maxTokens: 6, sampling: { temperature: 0 } }
        const { adapter, events } = await engine.generate(request)
        const [choice] = await collect(events)
        expect(choice!.text).toBe(golden.get(adapter!.hash)!)
        answers++
      }
    }
    await Promise.all([swapping, ...Array.from({ length: 6 }, ask)])
    expect(decoder.books).toMatchObject({ sequences: 0 })
    await engine.close()
    expect(decoder.books.adapters).toBe(0)
  })

  test("computes several choices of several prompts, each with a seed of its own", async () => {
    const { engine } = createFakeEngine()
    const request = {
      prompts: [{ text: "one" }, { ids: [116, 119, 111] }],
      choices: 2,
      adapter: null,
      maxTokens: 30,
      ignoreEos: true,
      sampling: { seed: 4 },
    }
    const generation = await engine.generate(request)
    expect(generation.promptTokens).toBe(6)
    const choices = await collect(generation.events)
    expect(choices.map(({ text }) => text.length)).toEqual([30, 30, 30, 30])
    expect(new Set(choices.map(({ text }) => text)).size).toBe(4)
    expect(await collect((await engine.generate(request)).events)).toEqual(choices)
    const other = await engine.generate({ ...request, sampling: { seed: 5 } })
    expect(await collect(other.events)).not.toEqual(choices)
  })

  test("takes another seed every time when none is given", async () => {
    const { engine } = createFakeEngine()
    const run = async () =>
      (
        await collect(
          (
            await engine.generate({ prompts: [{ text: "x" }], adapter: null, maxTokens: 40, ignoreEos: true })
          ).events,
        )
      )[0]!.text
    expect(await run()).not.toBe(await run())
  })

  test("counts an adapter's virtual tokens against the context", async () => {
    const { engine } = createFakeEngine({ contextLength: 32 })
    await engine.load("p", { adapter: fakeAdapter("p", 16) })
    const request = { prompts: [{ text: "12345678" }], maxTokens: 9 }
    await expect(engine.generate({ ...request, adapter: "p" })).rejects.toMatchObject({
      code: "context_length_exceeded",
    })
    const { events } = await engine.generate({ ...request, adapter: null, ignoreEos: true })
    expect((await collect(events))[0]!.reason).toBe("length")
    const fits = await engine.generate({ ...request, adapter: "p", maxTokens: 8, ignoreEos: true })
    expect((await collect(fits.events))[0]!.reason).toBe("length")
  })

  test("ends every choice when the signal aborts or one fails", async () => {
    const controller = new AbortController()
    const { engine, decoder } = createFakeEngine({
      beforeAppend(_added, { tokens }) {
        if (tokens[0] === 33 && tokens.length > 5) throw new Error("broken")
      },
    })
    const request = { choices: 3, adapter: null, maxTokens: 3000, ignoreEos: true }
    const aborted = await engine.generate({ ...request, prompts: [{ text: "x" }] }, { signal: controller.signal })
    const failed = await engine.generate({ ...request, choices: 1, prompts: [{ text: "x" }, { text: "!" }] })
    controller.abort()
    await expect(collect(aborted.events)).rejects.toMatchObject({ code: "aborted" })
    await expect(collect(failed.events)).rejects.toMatchObject({ code: "internal" })
    await Bun.sleep(5)
    expect(decoder.books.sequences).toBe(0)
  })
})
