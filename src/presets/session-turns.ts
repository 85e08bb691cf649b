/**
 * @module Answering and training in turns, where memory holds the sessions of one of them: an answer that needs a session waits for
 * the end of a micro-batch, training gives its session back, and has it made anew once nobody is answered any more.
 */

/** What turns are taken by. */
export interface SessionTurnsOptions {
  /** Whether somebody is being answered. */
  isAnswering(): Promise<boolean>
  /** Gives back, between two steps, the sessions that answer. */
  restAnswers(): Promise<void>
  /** Lets events in. */
  breathe(): Promise<void>
}

/** Turns of one engine, and of one training at a time. */
export interface SessionTurns {
  /** Awaited before a session that answers is made. */
  beforeAnswers(): Promise<void>
  /** Runs a training, which may hold sessions. */
  training<T>(run: () => Promise<T>): Promise<T>
  /** Awaited by the training between two calls of what it trains by. @param rest gives its session back, which is made anew */
  betweenSteps(rest: () => Promise<void>): Promise<void>
}

/** Turns of the event loop without an answer, after which nobody is answered any more: a request may be on its way to the engine. */
const QUIET_TURNS = 8
/**
 * Turns of the event loop that a training waits at most, some two for each token: when answers never end, it goes on beside
 * them until they do.
 */
const MOST_TURNS = 2048

/** Takes turns. */
export function sessionTurns({ isAnswering, restAnswers, breathe }: SessionTurnsOptions): SessionTurns {
  /** Whether a training may hold sessions now. */
  let holds = false
  /** Whether it goes on beside those that answer. */
  let beside = false
  /** Those who wait for it to give way. */
  let waiting: (() => void)[] = []
  const letIn = (): void => {
    holds = false
    for (const go of waiting) go()
    waiting = []
  }
  /** Waits until nobody is answered. @returns whether that came to be */
  const quiet = async (): Promise<boolean> => {
    let still = 0
    for (let turns = 0; turns < MOST_TURNS; turns++) {
      await breathe()
      still = (await isAnswering()) ? 0 : still + 1
      if (still === QUIET_TURNS) return true
    }
    return false
  }
  return {
    async beforeAnswers() {
      if (holds && !beside) await new Promise<void>((resolve) => waiting.push(resolve))
    },
    async training(run) {
      // First what answers, in which a step may be under way that waits for a session itself.
      await restAnswers()
      holds = true
      beside = false
      try {
        return await run()
      } finally {
        letIn()
      }
    },
    async betweenSteps(rest) {
      await breathe()
      if (beside) beside = await isAnswering()
      if (waiting.length === 0) return
      await rest()
      letIn()
      beside = !(await quiet())
      if (!beside) await restAnswers()
      holds = true
    },
  }
}
