/**
 * @module The engine behind messages, over a MessageChannel and in a real Worker: the same behaviour as in this thread.
 */
import { describe, expect, test } from "bun:test"
import { EspalierError } from "../../../src/core/errors.ts"
import { endpointOf } from "../../../src/serve/endpoint.ts"
import type { EngineApi } from "../../../src/serve/engine-api.ts"
import { engineClient } from "../../../src/serve/engine-client.ts"
import { engineHost } from "../../../src/serve/engine-host.ts"
import { type FakeDecoder, fakeAdapter } from "../../support/fake-decoder.ts"
import { collect, createFakeEngine, type FakeEngineOptions, greedyText } from "../../support/fake-engine.ts"

async function overChannel(
  options: FakeEngineOptions = {},
): Promise<{ engine: EngineApi; decoder: FakeDecoder; end: () => void }> {
  const { port1, port2 } = new MessageChannel()
  const { engine: hosted, decoder } = createFakeEngine(options)
  engineHost(endpointOf(port2), async () => hosted)
  const engine = await engineClient(endpointOf(port1), {})
  const end = (): void => {
    port1.close()
    port2.close()
  }
  return { engine, decoder, end }
}

function startWorker(settings: object): { worker: Worker; engine: Promise<EngineApi> } {
  const worker = new Worker(new URL("../../support/fake-engine-worker.ts", import.meta.url), { type: "module" })
  return { worker, engine: engineClient(endpointOf(worker), settings) }
}

const failureOf = async (promise: Promise<unknown>): Promise<EspalierError> => {
  const error = await promise.then(
    () => new Error("Expected a failure"),
    (reason) => reason,
  )
  expect(error).toBeInstanceOf(EspalierError)
  return error
}

describe("engineClient() over a MessageChannel", () => {
  test("does everything that the engine behind it does", async () => {
    const { engine, decoder, end } = await overChannel()
    const { engine: local } = createFakeEngine()
    expect(engine.info).toEqual(local.info)
    for (const each of [engine, local]) {
      await each.load("a", { adapter: fakeAdapter("a", 3) })
      await each.load("b", { path: "/srv/adapters/b" })
    }
    expect(await engine.list()).toEqual(await local.list())
    for (const name of [null, "a", "b"]) {
      expect(await greedyText(engine, "hello", name)).toBe(await greedyText(local, "hello", name))
    }
    const request = {
      prompts: [{ text: "x" }],
      choices: 2,
      adapter: "a",
      maxTokens: 9,
      logprobs: 2,
      echo: true,
      sampling: { seed: 1 },
    }
    const [remote, here] = await Promise.all([engine.generate(request), local.generate(request)])
    expect([remote.adapter, remote.promptTokens]).toEqual([here.adapter, here.promptTokens])
    const eventsOf = async (events: AsyncIterable<unknown>): Promise<unknown[]> => Array.fromAsync(events)
    expect(await eventsOf(remote.events)).toEqual(await eventsOf(here.events))
    await engine.unload("a")
    expect((await engine.stats()).adapters).toBe(1)
    await engine.close()
    expect(decoder.disposed).toBe(true)
    expect((await failureOf(engine.list())).code).toBe("unavailable")
    end()
  })

  test("carries an error's code, message, hint and param across", async () => {
    const { engine, end } = await overChannel({ contextLength: 16 })
    await engine.load("a", { adapter: fakeAdapter("a") })
    const taken = await failureOf(engine.load("a", { adapter: fakeAdapter("a") }))
    expect(taken).toMatchObject({ code: "conflict", param: "name" })
    expect(taken.hint).toContain("replace")
    const unknown = await failureOf(engine.generate({ prompts: [{ text: "x" }], adapter: "z" }))
    expect(unknown).toMatchObject({ code: "not_found", hint: "Loaded adapters: a" })
    const long = await failureOf(engine.generate({ prompts: [{ text: "x" }], adapter: null, maxTokens: 99 }))
    expect(long).toMatchObject({ code: "invalid_request", param: "max_tokens" })
    end()
  })

  test("ends a stream with the error that ended it", async () => {
    const { engine, end } = await overChannel({
      beforeAppend(_added, { tokens }) {
        if (tokens.length > 4) throw new Error("broken")
      },
    })
    const { events } = await engine.generate({ prompts: [{ text: "x" }], adapter: null, maxTokens: 50 })
    expect((await failureOf(collect(events))).code).toBe("internal")
    expect(await greedyText(engine, "x", null, 2)).toHaveLength(2)
    end()
  })

  test("aborts by signal, before and during a generation, and when the reader leaves", async () => {
    const { engine, decoder, end } = await overChannel()
    const request = { prompts: [{ text: "x" }], adapter: null, maxTokens: 4000 }
    const early = await engine.generate(request, { signal: AbortSignal.abort() })
    expect((await failureOf(collect(early.events))).code).toBe("aborted")
    const controller = new AbortController()
    const during = await engine.generate(request, { signal: controller.signal })
    setTimeout(() => controller.abort(), 2)
    expect((await failureOf(collect(during.events))).code).toBe("aborted")
    for await (const _ of (await engine.generate(request)).events) break
    while ((await engine.stats()).active > 0) await Bun.sleep(1)
    expect(decoder.books.sequences).toBe(0)
    expect((await engine.stats()).aborted).toBe(3)
    end()
  })

  test("refuses what cannot be sent, and goes on", async () => {
    const { engine, end } = await overChannel()
    const adapter = { ...fakeAdapter("a"), method: (() => "a function") as unknown as string }
    expect(engine.load("a", { adapter })).rejects.toThrow()
    expect(await engine.list()).toEqual([])
    end()
  })
})

describe("engineClient() in a Worker", () => {
  test("generates in turns, loads while it does, and sees an abort between two steps that never let go", async () => {
    const { worker, engine: starting } = startWorker({})
    const engine = await starting
    await engine.load("a", { adapter: fakeAdapter("a") })
    const { engine: local } = createFakeEngine()
    await local.load("a", { adapter: fakeAdapter("a") })
    const controller = new AbortController()
    const request = { prompts: [{ text: "x" }], adapter: "a", maxTokens: 4000 }
    const { events } = await engine.generate(request, { signal: controller.signal })
    const running = collect(events)
    running.catch(() => {})
    expect(await greedyText(engine, "hello", "a")).toBe(await greedyText(local, "hello", "a"))
    await engine.load("b", { path: "/srv/adapters/b" })
    controller.abort()
    expect((await failureOf(running)).code).toBe("aborted")
    const stats = await engine.stats()
    expect(stats).toMatchObject({ active: 0, adapters: 2, aborted: 1 })
    // 4,000 tokens would have taken 0.8 s of busy waiting.
    expect(stats.completionTokens).toBeLessThan(3000)
    worker.terminate()
  })

  test("reports why the engine could not be made", async () => {
    const { worker, engine } = startWorker({ refuse: true })
    const error = await failureOf(engine)
    expect(error).toMatchObject({
      code: "not_found",
      message: "There is no base folder",
      hint: "Give another one",
      param: "base",
    })
    worker.terminate()
  })

  test("ends everything that waits in one error when the worker dies", async () => {
    const { worker, engine: starting } = startWorker({ dieAt: 20 })
    const engine = await starting
    const request = { prompts: [{ text: "x" }], adapter: null, maxTokens: 4000 }
    const generations = await Promise.all([engine.generate(request), engine.generate(request)])
    const errors = await Promise.all(generations.map(({ events }) => failureOf(collect(events))))
    expect(errors.map((error) => error.code)).toEqual(["unavailable", "unavailable"])
    expect(errors[0]!.message).toContain("out of memory")
    expect((await failureOf(engine.stats())).code).toBe("unavailable")
    expect((await failureOf(engine.generate(request))).code).toBe("unavailable")
    worker.terminate()
  })
})
