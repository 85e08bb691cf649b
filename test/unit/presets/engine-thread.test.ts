/**
 * @module The engine in a real Worker, whose decoder computes without ever letting go of the thread.
 */
import { describe, expect, test } from "bun:test"
import { EspalierError } from "../../../src/core/errors.ts"
import { startEngineThread } from "../../../src/presets/engine-thread.ts"
import type { EngineApi } from "../../../src/serve/engine-api.ts"
import { fakeAdapter } from "../../support/fake-decoder.ts"
import { collect, createFakeEngine, greedyText } from "../../support/fake-engine.ts"
import { nativeVariable, setVariable } from "../../support/native-environment.ts"

const start = (settings: object): Promise<EngineApi> =>
  startEngineThread(new URL("../../support/fake-engine-worker.ts", import.meta.url), settings)

const failureOf = async (promise: Promise<unknown>): Promise<EspalierError> => {
  const error = await promise.then(
    () => new Error("Expected a failure"),
    (reason) => reason,
  )
  expect(error).toBeInstanceOf(EspalierError)
  return error
}

describe("startEngineThread()", () => {
  test("generates in turns, loads while it does, and sees an abort between two steps that never let go", async () => {
    const engine = await start({})
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
    await engine.close()
    expect((await failureOf(engine.stats())).message).toContain("closed")
  })

  test("has told the native engine to report nothing before the Worker starts, which on Node could not do so itself", async () => {
    const before = process.env["ORT_DISABLE_TELEMETRY"]
    setVariable("ORT_DISABLE_TELEMETRY", null)
    try {
      const engine = await start({})
      expect(process.env["ORT_DISABLE_TELEMETRY"]).toBe("1")
      expect(nativeVariable("ORT_DISABLE_TELEMETRY")).toBe("1")
      await engine.close()
    } finally {
      setVariable("ORT_DISABLE_TELEMETRY", before ?? null)
    }
  })

  test("reports why the engine could not be made", async () => {
    const error = await failureOf(start({ refuse: true }))
    expect(error).toMatchObject({
      code: "not_found",
      message: "There is no base folder",
      hint: "Give another one",
      param: "base",
    })
  })

  test("ends everything that waits in one error when the worker dies", async () => {
    const engine = await start({ dieAt: 20 })
    const request = { prompts: [{ text: "x" }], adapter: null, maxTokens: 4000 }
    const generations = await Promise.all([engine.generate(request), engine.generate(request)])
    const errors = await Promise.all(generations.map(({ events }) => failureOf(collect(events))))
    expect(errors.map((error) => error.code)).toEqual(["unavailable", "unavailable"])
    expect(errors[0]!.message).toContain("out of memory")
    expect((await failureOf(engine.stats())).code).toBe("unavailable")
    expect((await failureOf(engine.generate(request))).code).toBe("unavailable")
  })
})
