/**
 * @module How many generations an engine behind messages still takes, as counted on this side of them: one that it would
 * refuse for want of a place is refused here, without crossing over. A thousand requests at once would otherwise all be
 * turned into tokens there, a second and more in which no generation went on and nobody was told of the engine's health.
 */
import { EspalierError } from "../core/errors.ts"

/** Places, and who has them. */
export interface Room {
  /**
   * Takes places for the choices of a request; more than there are at all are for the engine to refuse.
   * @returns gives them back, once, and is told whether the generation came to its end: others say nothing of how long one
   * takes
   * @throws {EspalierError} `queue_full`
   */
  take(choices: number): (ended: boolean) => void
}

/** The part that one more generation has in what is usual. */
const LATELY = 0.2

/**
 * @param places that advance at the same time, and that wait
 * @param clock milliseconds that never run backwards
 */
export function createRoom(
  { maxActive, maxWaiting }: { readonly maxActive: number; readonly maxWaiting: number },
  clock: () => number = () => performance.now(),
): Room {
  const places = maxActive + maxWaiting
  let taken = 0
  /** How long a generation has been here when it ends, its waiting too, in milliseconds: of late, more than of old. */
  let usual = 0
  const refusal = (): EspalierError => {
    // Places come free at the rate of those taken in the time that each of them is: so long until all that wait have one.
    const waiting = Math.max(0, taken - maxActive)
    return queueFull(taken, (usual * (waiting + 1)) / Math.max(taken, 1) / 1000)
  }
  return {
    take(choices) {
      if (choices <= places && taken + choices > places) throw refusal()
      const began = clock()
      let held = true
      taken += choices
      return (ended) => {
        if (!held) return
        held = false
        taken -= choices
        if (ended) usual += (clock() - began - usual) * (usual === 0 ? 1 : LATELY)
      }
    },
  }
}

/** @param retryAfter seconds until there may be a place */
export function queueFull(taken: number, retryAfter: number): EspalierError {
  return new EspalierError("queue_full", `The queue is full: ${taken} generations are running or waiting`, {
    hint: "Try again in a moment",
    retryAfter,
  })
}
