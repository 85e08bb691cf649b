/**
 * @module How the server is, told at once: the engine is asked, and where it is busy with a step, what it said last is told.
 */
import type { EngineApi, EngineStats } from "../serve/engine-api.ts"

/** How the server is, for whoever watches it. */
export interface Health {
  readonly status: "ok"
  readonly active: number
  readonly waiting: number
  readonly adapters: number
}

/** What it is made of, other than an engine. */
export interface HealthOptions {
  /** Milliseconds that never run backwards. @default {performance.now} */
  readonly clock?: () => number
  /** Resolves after so many milliseconds. @default by a timer */
  readonly sleep?: (ms: number) => Promise<void>
}

/** Milliseconds that an engine in the middle of a step is waited for. */
const PATIENCE = 50
/** Milliseconds without an answer after which an engine is not said to be well before it answers. */
const SILENCE = 5000

/**
 * Asks `engine` how it is. Everybody who asks while a question is under way has its answer.
 * @returns rejects with `unavailable` if the engine is gone, and waits for one that says nothing at all
 */
export function healthOf(engine: Pick<EngineApi, "stats">, options: HealthOptions = {}): () => Promise<Health> {
  const clock = options.clock ?? (() => performance.now())
  const sleep = options.sleep ?? ((ms) => new Promise<void>((resolve) => setTimeout(resolve, ms)))
  let asking: { readonly since: number; readonly answer: Promise<EngineStats> } | null = null
  let last: EngineStats | null = null
  const ask = () => {
    const answer = engine.stats()
    const told = (stats: EngineStats | null): void => {
      last = stats
      asking = null
    }
    answer.then(told, () => told(null))
    return { since: clock(), answer }
  }
  return async () => {
    asking ??= ask()
    const { since, answer } = asking
    const isSilent = last === null || clock() - since >= SILENCE
    const stats = isSilent ? await answer : ((await Promise.race([answer, sleep(PATIENCE)])) ?? last ?? (await answer))
    const { active, waiting, adapters } = stats
    return { status: "ok", active, waiting, adapters }
  }
}
