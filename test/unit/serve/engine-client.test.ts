/**
 * @module The engine behind messages, over a MessageChannel: the same behaviour as in this thread.
 */
import { describe, expect, test } from "bun:test"
import { EspalierError } from "../../../src/core/errors.ts"
import { endpointOf } from "../../../src/serve/endpoint.ts"
import type { ChoiceEvent, EngineApi } from "../../../src/serve/engine-api.ts"
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
    const texts = { inputs: [{ text: "hello" }, { ids: [1, 2] }], adapter: "a" }
    expect(await engine.embed(texts)).toEqual(await local.embed(texts))
    const aborted = engine.embed(texts, { signal: AbortSignal.abort() })
    expect((await failureOf(aborted)).code).toBe("aborted")
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
    // How long each waited is its own.
    const eventsOf = (events: AsyncIterable<ChoiceEvent>): Promise<unknown[]> =>
      Array.fromAsync(events, (event) => (event.type === "finish" ? { ...event, waitedMs: 0 } : event))
    expect(await eventsOf(remote.events)).toEqual(await eventsOf(here.events))
    for (const each of [engine, local]) await each.load("b", { adapter: fakeAdapter("c") }, { replace: true })
    expect(await engine.rollback("b")).toEqual(await local.rollback("b"))
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
    expect(long).toMatchObject({ code: "context_length_exceeded", param: "max_tokens" })
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

  test("refuses what there is no place for without asking, and takes what comes once there is", async () => {
    const { engine, end } = await overChannel({ scheduler: { maxActive: 1, maxWaiting: 1 } })
    const request = { prompts: [{ text: "x" }], adapter: null, maxTokens: 3, ignoreEos: true }
    // All in one tick, before the engine hears of any.
    const asked = [1, 2, 3, 4].map(() => engine.generate(request))
    const refused = await Promise.all(asked.slice(2).map(failureOf))
    for (const each of refused) expect(each).toMatchObject({ code: "queue_full" })
    expect((await engine.stats()).waiting).toBeLessThanOrEqual(1)
    for (const each of asked.slice(0, 2)) await collect((await each).events)
    expect(await greedyText(engine, "x", null, 2)).toHaveLength(2)
    const tooMany = await failureOf(engine.generate({ ...request, choices: 3 }))
    expect(tooMany).toMatchObject({ code: "invalid_request", param: "n" })
    const unknown = { ...request, adapter: "z" }
    for (let i = 0; i < 3; i++) expect((await failureOf(engine.generate(unknown))).code).toBe("not_found")
    end()
  })

  test("refuses what cannot be sent, and goes on", async () => {
    const { engine, end } = await overChannel()
    const adapter = { ...fakeAdapter("a"), method: (() => "a function") as unknown as string }
    await expect(engine.load("a", { adapter })).rejects.toThrow()
    expect(await engine.list()).toEqual([])
    end()
  })
})
