/**
 * @module Answering and training in turns.
 */
import { expect, test } from "bun:test"
import { sessionTurns } from "../../../src/presets/session-turns.ts"
import { createBreathe } from "../../../src/serve/breathe.ts"

/** Turns over an engine that does as it is told, with a log of what happened. */
function scene() {
  const log: string[] = []
  const state = { answering: false }
  const breathe = createBreathe()
  const turns = sessionTurns({
    isAnswering: async () => state.answering,
    restAnswers: async () => void log.push("answers rest"),
    breathe,
  })
  const rest = async () => void log.push("training rests")
  const steps = async (count: number, each = () => {}) => {
    for (let i = 0; i < count; i++) {
      log.push("step")
      each()
      await turns.betweenSteps(rest)
    }
  }
  return { log, state, turns, steps, breathe }
}

test("without a training nobody waits", async () => {
  const { turns, log } = scene()
  await turns.beforeAnswers()
  expect(log).toEqual([])
})

test("a session that answers is made once the training has given its own back, which goes on when all is quiet", async () => {
  const { log, state, turns, steps, breathe } = scene()
  let asked = false
  const answer = async () => {
    await turns.beforeAnswers()
    state.answering = true
    log.push("answer")
    for (let token = 0; token < 20; token++) await breathe()
    log.push("answered")
    state.answering = false
  }
  await turns.training(() =>
    steps(3, () => {
      if (!asked) void answer()
      asked = true
    }),
  )
  expect(log).toEqual(["answers rest", "step", "training rests", "answer", "answered", "answers rest", "step", "step"])
})

test("where answers never end the training goes on beside them, until they do", async () => {
  const { log, state, turns, steps } = scene()
  let asked = 0
  const ask = () => turns.beforeAnswers().then(() => log.push(`answer ${++asked}`))
  await turns.training(async () => {
    state.answering = true
    void ask()
    await steps(1)
    // It holds a session now, and those who answer make theirs all the same.
    await ask()
    await steps(1)
    state.answering = false
    await steps(1)
    void ask()
    await steps(1)
  })
  expect(log).toEqual([
    ...["answers rest", "step", "training rests", "answer 1", "answer 2", "step", "step"],
    ...["step", "training rests", "answer 3", "answers rest"],
  ])
})

test("who waits when a training ends, or fails, is let in", async () => {
  const { turns } = scene()
  let waiting: Promise<void> | null = null
  const failed = turns.training(async () => {
    waiting = turns.beforeAnswers()
    throw new Error("no")
  })
  expect(failed).rejects.toThrow("no")
  await failed.catch(() => {})
  await waiting
  await turns.beforeAnswers()
})
