/**
 * @module More adapters than memory holds: those that were read from folders give way and come back, the same or not at all.
 */
import { describe, expect, test } from "bun:test"
import { EspalierError } from "../../../src/core/errors.ts"
import type { LoadedAdapter } from "../../../src/forms/form.ts"
import type { EngineApi } from "../../../src/serve/engine-api.ts"
import { fakeAdapter } from "../../support/fake-decoder.ts"
import { collect, createFakeEngine, type FakeEngineOptions, greedyText } from "../../support/fake-engine.ts"

/** An engine over folders that may change and go, which counts how often each was read. */
function shelved(options: FakeEngineOptions = {}) {
  const folders = new Map<string, string>()
  const reads: string[] = []
  const readAdapter = async (path: string): Promise<LoadedAdapter> => {
    reads.push(path)
    await Bun.sleep(1)
    const content = folders.get(path)
    if (content === undefined) throw new EspalierError("not_found", `There is no adapter folder ${path}`)
    if (content === "down") throw new EspalierError("unavailable", `No connection for ${path}`, { retryAfter: 3 })
    if (content === "broken") throw new EspalierError("invalid_file", `${path} ends after 17 bytes`)
    return fakeAdapter(content)
  }
  const { engine, decoder } = createFakeEngine({ maxAdapters: 2, ...options, readAdapter })
  const put = async (...names: string[]): Promise<void> => {
    for (const name of names) {
      folders.set(`/srv/${name}`, name)
      await engine.load(name, { path: `/srv/${name}` })
    }
  }
  return { engine, decoder, folders, reads, put }
}
/** What each adapter says that is alone in an engine. */
async function goldenOf(names: readonly string[], maxTokens?: number): Promise<Map<string, string>> {
  const { engine } = createFakeEngine()
  const golden = new Map<string, string>()
  for (const name of names) {
    await engine.load(name, { adapter: fakeAdapter(name) })
    golden.set(name, await greedyText(engine, "hello", name, maxTokens))
  }
  return golden
}
const residents = async (engine: EngineApi): Promise<string[]> =>
  (await engine.list()).filter(({ resident }) => resident).map(({ name }) => name)
const start = (engine: EngineApi, adapter: string, maxTokens = 200, signal?: AbortSignal) =>
  engine.generate(
    { prompts: [{ text: "hello" }], adapter, maxTokens, ignoreEos: true, sampling: { temperature: 0 } },
    signal ? { signal } : {},
  )

describe("an engine with more adapters than memory holds", () => {
  test("lets the one asked longest ago go, lists it, and reads it again at its next request", async () => {
    const { engine, decoder, reads, put } = shelved()
    const golden = await goldenOf(["a", "b", "c"])
    await put("a", "b")
    expect(await greedyText(engine, "hello", "a")).toBe(golden.get("a")!)
    await put("c")
    expect(await residents(engine)).toEqual(["a", "c"])
    expect((await engine.list()).map(({ name, evictions, reloads }) => [name, evictions, reloads])).toEqual([
      ["a", 0, 0],
      ["b", 1, 0],
      ["c", 0, 0],
    ])
    expect((await engine.stats()).adapters).toBe(3)
    const before = (await engine.list())[1]!
    expect(await greedyText(engine, "hello", "b")).toBe(golden.get("b")!)
    expect(await residents(engine)).toEqual(["b", "c"])
    expect((await engine.list())[1]).toEqual({ ...before, resident: true, reloads: 1 })
    expect(reads.filter((path) => path === "/srv/b")).toHaveLength(2)
    await engine.stats()
    expect(decoder.books.adapters).toBe(2)
    await engine.close()
    expect(decoder.books.adapters).toBe(0)
  })

  test("reads one once for all that ask for it at once, embeddings too", async () => {
    const { engine, reads, put } = shelved()
    await put("a", "b", "c")
    const golden = await goldenOf(["a"])
    const texts = await Promise.all([
      ...Array.from({ length: 20 }, () => greedyText(engine, "hello", "a")),
      engine.embed({ inputs: [{ text: "x" }], adapter: "a" }).then(({ adapter }) => adapter!.hash),
    ])
    expect(new Set(texts)).toEqual(new Set([golden.get("a")!, fakeAdapter("a").hash]))
    expect(reads.filter((path) => path === "/srv/a")).toHaveLength(2)
  })

  test("answers 600 requests to 12 adapters on 3 places, each as its adapter alone", async () => {
    const names = Array.from({ length: 12 }, (_, i) => `adapter-${i}`)
    const golden = await goldenOf(names, 5)
    const { engine, decoder, reads, put } = shelved({ maxAdapters: 3 })
    await put(...names)
    let most = 0
    let asked = 0
    const client = async (first: number): Promise<void> => {
      for (let i = first; asked < 600; i += 5) {
        asked++
        const name = names[i % names.length]!
        expect(await greedyText(engine, "hello", name, 5)).toBe(golden.get(name)!)
        most = Math.max(most, decoder.books.adapters)
      }
    }
    await Promise.all(Array.from({ length: 40 }, (_, i) => client(i)))
    expect(reads.length).toBeGreaterThan(24)
    // One that gave way is freed at the end of a step, when another may be there already.
    expect(most).toBeLessThanOrEqual(6)
    await engine.close()
    expect(decoder.books).toMatchObject({ adapters: 0, sequences: 0 })
  })

  test("takes nothing away from an answer in flight: another adapter waits for its end, and is served before it again", async () => {
    const { engine, decoder, put } = shelved({ maxAdapters: 1 })
    const golden = await goldenOf(["a", "b"])
    await put("a", "b")
    const long = await start(engine, "b")
    const order: string[] = []
    const say = async (name: string) => {
      const text = await greedyText(engine, "hello", name)
      order.push(name)
      return text
    }
    const [first, second] = [say("a"), say("b")]
    await Bun.sleep(2)
    expect([decoder.books.adapters, order]).toEqual([1, []])
    expect((await collect(long.events))[0]!.text).toHaveLength(200)
    expect([await first, await second]).toEqual([golden.get("a")!, golden.get("b")!])
    expect(order).toEqual(["a", "b"])
  })

  test("keeps what lies in memory only, and refuses only where nothing else is there", async () => {
    const { engine, put } = shelved()
    await engine.load("here", { adapter: fakeAdapter("here") })
    await put("a", "b", "c")
    expect(await residents(engine)).toEqual(["c", "here"])
    await engine.load("c", { adapter: fakeAdapter("c") }, { replace: true })
    const refusal = (param: string) => ({ code: "conflict", hint: expect.stringContaining("Unload one"), param })
    await expect(put("d")).rejects.toMatchObject(refusal("name"))
    await expect(start(engine, "a")).rejects.toMatchObject(refusal("model"))
    await engine.unload("here")
    expect(await greedyText(engine, "hello", "a")).toBe((await goldenOf(["a"])).get("a")!)
  })

  test("says what has become of a folder, names no place, and serves it when it is as it was or loaded anew", async () => {
    const { engine, folders, put } = shelved()
    await put("a", "b", "c")
    const refusal = (): Promise<EspalierError> =>
      start(engine, "a").then(
        () => null,
        (error) => error,
      )
    const cases = [
      ["another", "conflict", 'Adapter "a" has changed since it was loaded', "Load it again, with replace"],
      [null, "conflict", 'Adapter "a" is gone from where it was loaded', "Load it again, with replace"],
      [
        "broken",
        "conflict",
        `Adapter "a" can't be read any more from where it was loaded`,
        "Load it again, with replace",
      ],
      [
        "down",
        "unavailable",
        `Adapter "a" can't be read from where it was loaded at the moment`,
        "Try again in a moment",
      ],
    ] as const
    for (const [content, code, message, hint] of cases) {
      if (content === null) folders.delete("/srv/a")
      else folders.set("/srv/a", content)
      const error = await refusal()
      expect([error.code, error.message, error.hint]).toEqual([code, message, hint])
      if (code === "unavailable") expect(error.retryAfter).toBe(3)
    }
    expect((await engine.list()).map(({ name }) => name)).toEqual(["a", "b", "c"])
    folders.set("/srv/a", "a")
    const golden = await goldenOf(["a", "another"])
    expect(await greedyText(engine, "hello", "a")).toBe(golden.get("a")!)
    await greedyText(engine, "hello", "b")
    await greedyText(engine, "hello", "c")
    folders.set("/srv/a", "another")
    await expect(start(engine, "a")).rejects.toMatchObject({ code: "conflict" })
    const loaded = await engine.load("a", { path: "/srv/a" }, { replace: true })
    // Of the version before nothing is left to go back to.
    expect([loaded.hash, loaded.previousHash]).toEqual([fakeAdapter("another").hash, null])
    expect(await greedyText(engine, "hello", "a")).toBe(golden.get("another")!)
  })

  test("merges what has given way, and refuses what has changed", async () => {
    const { engine, folders, put } = shelved()
    await put("a", "b", "c")
    const { adapter, events } = await start(engine, "a*0.5+b*0.5", 4)
    await collect(events)
    expect(adapter!.name).toBe("a*0.5+b*0.5")
    folders.set("/srv/a", "another")
    await expect(start(engine, "a*0.7+b", 4)).rejects.toMatchObject({
      code: "conflict",
      message: 'Adapter "a" has changed since it was loaded',
    })
  })

  test("whoever goes while it is read leaves nothing held", async () => {
    const { engine, decoder, put } = shelved()
    await put("a", "b", "c")
    const controller = new AbortController()
    const gone = start(engine, "a", 4, controller.signal)
    controller.abort()
    await expect(gone).rejects.toMatchObject({ code: "aborted" })
    await expect(start(engine, "a", 4, AbortSignal.abort())).rejects.toMatchObject({ code: "aborted" })
    const stays = start(engine, "a", 4)
    await collect((await stays).events)
    await engine.unload("a")
    await engine.close()
    expect(decoder.books).toMatchObject({ adapters: 0, sequences: 0 })
  })

  test("one that is unloaded or replaced while it is read is not served, its successor is", async () => {
    const { engine, decoder, folders, put } = shelved()
    await put("a", "b", "c")
    folders.set("/srv/a", "another")
    const asked = greedyText(engine, "hello", "a")
    await engine.load("a", { adapter: fakeAdapter("new") }, { replace: true })
    const golden = await goldenOf(["new"])
    expect(await asked).toBe(golden.get("new")!)
    await greedyText(engine, "hello", "c")
    const missed = greedyText(engine, "hello", "b")
    folders.delete("/srv/b")
    await engine.unload("b")
    await expect(missed).rejects.toMatchObject({ code: "not_found" })
    await engine.close()
    expect(decoder.books.adapters).toBe(0)
  })

  test("waits for no more than its queue holds", async () => {
    const { engine, put } = shelved({ scheduler: { maxActive: 2, maxWaiting: 3 } })
    await put("a", "b", "c")
    const outcomes = await Promise.allSettled(Array.from({ length: 9 }, () => start(engine, "a", 2)))
    const refused = outcomes.filter(({ status }) => status === "rejected")
    expect(refused).toHaveLength(4)
    for (const outcome of refused) expect((outcome as PromiseRejectedResult).reason.code).toBe("queue_full")
  })

  test("closes while one is read", async () => {
    const { engine, decoder, put } = shelved()
    await put("a", "b", "c")
    const asked = start(engine, "a")
    const outcome = asked.then(
      () => "answered",
      (error: EspalierError) => error.code,
    )
    await engine.close()
    expect(await outcome).toBe("unavailable")
    expect(decoder.books.adapters).toBe(0)
  })

  test("closes while some wait for places, load and embed, and tells each of them that it does", async () => {
    const { engine, decoder, folders, put } = shelved({ maxAdapters: 1 })
    await put("a", "b", "c")
    const long = await start(engine, "c", 4000)
    folders.set("/srv/d", "d")
    const jobs = [
      start(engine, "a"),
      engine.embed({ inputs: [{ text: "x" }], adapter: "b" }),
      engine.load("d", { path: "/srv/d" }),
      engine.load("c", { path: "/srv/d" }, { replace: true }),
      start(engine, "a*0.5+b*0.5"),
    ].map((job) =>
      job.then(
        () => "answered",
        (error: EspalierError) => error.code,
      ),
    )
    await engine.close()
    expect(new Set(await Promise.all(jobs))).toEqual(new Set(["unavailable"]))
    await expect(start(engine, "a")).rejects.toMatchObject({ code: "unavailable" })
    await expect(collect(long.events)).rejects.toMatchObject({ code: "unavailable" })
    expect(decoder.books).toMatchObject({ adapters: 0, sequences: 0 })
  })
})

describe("the version before", () => {
  test("stays in memory beside those that give way, and is gone back to at once", async () => {
    const { engine, folders, reads, put } = shelved()
    await put("a")
    folders.set("/srv/a2", "a2")
    await engine.load("a", { path: "/srv/a2" }, { replace: true })
    await put("b", "c")
    expect(await residents(engine)).toEqual(["b", "c"])
    const count = reads.length
    const back = await engine.rollback("a")
    expect([back.hash, back.previousHash, back.resident]).toEqual([fakeAdapter("a").hash, fakeAdapter("a2").hash, true])
    expect(reads).toHaveLength(count)
    expect((await residents(engine)).length).toBe(2)
    // Once more undoes it: what had given way is read again for it.
    const again = await engine.rollback("a")
    expect([again.hash, again.resident, reads.at(-1)]).toEqual([fakeAdapter("a2").hash, true, "/srv/a2"])
  })

  test("that had given way and lies elsewhere is gone back to if it is still there, else nothing changes", async () => {
    const { engine, folders, put } = shelved()
    await put("a", "b", "c")
    folders.set("/srv/a2", "a2")
    const replaced = await engine.load("a", { path: "/srv/a2" }, { replace: true })
    expect(replaced.previousHash).toBe(fakeAdapter("a").hash)
    folders.delete("/srv/a")
    const golden = await goldenOf(["a", "a2"])
    const refused = engine.rollback("a").then(
      () => null,
      (error: EspalierError) => [error.code, error.message],
    )
    // Nobody waits for what may not come.
    const [before] = await engine.list()
    expect([before!.hash, before!.previousHash]).toEqual([replaced.hash, fakeAdapter("a").hash])
    expect(await greedyText(engine, "hello", "a")).toBe(golden.get("a2")!)
    expect(await refused).toEqual(["conflict", 'Adapter "a" is gone from where it was loaded'])
    expect(await greedyText(engine, "hello", "a")).toBe(golden.get("a2")!)
    folders.set("/srv/a", "a")
    expect((await engine.rollback("a")).resident).toBe(true)
    expect(await greedyText(engine, "hello", "a")).toBe(golden.get("a")!)
  })
})
