import { expect, test } from "bun:test"
import { engineTarget, percentiles, runLoad } from "../../../scripts/bench/load.ts"
import { EspalierError } from "../../../src/core/errors.ts"
import type { EngineApi } from "../../../src/serve/engine-api.ts"
import { createFakeEngine } from "../../support/fake-engine.ts"

const load = { requests: 10, clients: 3, rate: null, models: [null], prompt: 4, output: 6, vocab: 100, seed: 1 }

test("closed load asks for so many answers, from so many clients at once, and counts what comes", async () => {
  let most = 0
  const { engine } = createFakeEngine()
  const watched: EngineApi = {
    ...engine,
    async generate(request, options) {
      const generation = await engine.generate(request, options)
      most = Math.max(most, (await engine.stats()).active + (await engine.stats()).waiting)
      return generation
    },
  }
  const figures = await runLoad(engineTarget(watched), load)
  expect(figures.tokens).toBe(60)
  expect(figures.firstToken.count).toBe(10)
  expect(figures.betweenTokens.count).toBe(50)
  expect(figures.tokensPerSecond).toBeCloseTo(figures.tokens / figures.seconds, 6)
  expect(most).toBe(3)
})

test("open load sends all requests, and counts those for which the queue has no place", async () => {
  const { engine } = createFakeEngine()
  let asked = 0
  const full: EngineApi = {
    ...engine,
    async generate(request) {
      if (++asked % 3 === 0) throw new EspalierError("queue_full", "The queue is full")
      return engine.generate(request)
    },
  }
  const figures = await runLoad(engineTarget(full), { ...load, rate: 1e6 })
  expect(asked).toBe(10)
  expect(figures.refused).toBe(3)
  expect(figures.tokens).toBe(6 * 7)
})

test("percentiles() are members of the series, at its end the largest", () => {
  const series = Array.from({ length: 200 }, (_, i) => 200 - i)
  expect(percentiles(series)).toMatchObject({ median: 100.5, p95: 190, p99: 198 })
  expect(percentiles([7])).toMatchObject({ median: 7, p95: 7, p99: 7 })
})
