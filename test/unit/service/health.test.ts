/**
 * @module Health is told at once, and not before an engine that says nothing.
 */
import { expect, test } from "bun:test"
import { EspalierError } from "../../../src/core/errors.ts"
import type { EngineStats } from "../../../src/serve/engine-api.ts"
import { healthOf } from "../../../src/service/health.ts"

const totals = {
  maxActive: 8,
  maxWaiting: 64,
  finished: 0,
  aborted: 0,
  failed: 0,
  promptTokens: 0,
  completionTokens: 0,
}
const stats = (active: number): EngineStats => ({ ...totals, active, waiting: 0, adapters: 2 })

/** An engine that answers when it is told to, and a clock. */
function slowEngine() {
  const questions: { answer(stats: EngineStats): void; fail(error: Error): void }[] = []
  const time = { now: 0 }
  const timers: (() => void)[] = []
  const health = healthOf(
    { stats: () => new Promise((answer, fail) => void questions.push({ answer, fail })) },
    { clock: () => time.now, sleep: () => new Promise((resolve) => void timers.push(resolve)) },
  )
  return { health, questions, time, timers }
}

test("waits for the first answer, and one question answers everybody", async () => {
  const { health, questions } = slowEngine()
  const all = [health(), health()]
  expect(questions).toHaveLength(1)
  questions[0]!.answer(stats(3))
  const told = { status: "ok", active: 3, waiting: 0, adapters: 2 } as const
  expect(await Promise.all(all)).toEqual([told, told])
})

test("tells what an engine said last that is in the middle of something, and what it says now where it says it soon", async () => {
  const { health, questions, timers } = slowEngine()
  const first = health()
  questions[0]!.answer(stats(1))
  await first
  const late = health()
  timers[0]!()
  expect((await late).active).toBe(1)
  const soon = health()
  expect(questions).toHaveLength(2)
  questions[1]!.answer(stats(5))
  expect((await soon).active).toBe(5)
})

test("does not say that an engine is well which has been silent for long, or is gone", async () => {
  const { health, questions, time, timers } = slowEngine()
  const first = health()
  questions[0]!.answer(stats(1))
  await first
  const early = health()
  timers[0]!()
  await early
  time.now = 5000
  let told = false
  const silent = health().then(
    () => "well",
    (error) => error,
  )
  void silent.then(() => {
    told = true
  })
  for (const timer of timers) timer()
  await new Promise((resolve) => setTimeout(resolve, 0))
  expect(told).toBe(false)
  questions[1]!.fail(new EspalierError("unavailable", "The engine stopped"))
  expect(await silent).toMatchObject({ code: "unavailable" })
  // What it said before it ended is not told again.
  const after = health()
  questions[2]!.fail(new EspalierError("unavailable", "The engine stopped"))
  await expect(after).rejects.toMatchObject({ code: "unavailable" })
})
