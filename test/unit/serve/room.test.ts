/**
 * @module Places as counted before an engine's own count.
 */
import { expect, test } from "bun:test"
import { EspalierError } from "../../../src/core/errors.ts"
import { createRoom } from "../../../src/serve/room.ts"

const refusalOf = (take: () => unknown): EspalierError => {
  try {
    take()
  } catch (error) {
    expect(error).toBeInstanceOf(EspalierError)
    return error as EspalierError
  }
  throw new Error("Expected a refusal")
}

test("takes as many as there are places, and refuses the next until one leaves", () => {
  const room = createRoom({ maxActive: 2, maxWaiting: 1 })
  const leave = room.take(2)
  room.take(1)
  expect(refusalOf(() => room.take(1))).toMatchObject({ code: "queue_full" })
  leave(true)
  leave(true)
  room.take(2)
  expect(refusalOf(() => room.take(1)).message).toContain("3 generations")
})

test("leaves a request that never fits to the engine, which says why", () => {
  const room = createRoom({ maxActive: 2, maxWaiting: 1 })
  const leave = room.take(4)
  leave(false)
  expect(() => room.take(3)).not.toThrow()
})

test("says how long to wait by how long those who ended were here, not those who were refused later on", () => {
  let now = 0
  const room = createRoom({ maxActive: 1, maxWaiting: 3 }, () => now)
  const leaves = Array.from({ length: 4 }, () => room.take(1))
  now = 8000
  leaves[0]!(true)
  leaves[1]!(false)
  room.take(2)
  // Four are here, each for about 8 s, so one leaves every 2 s; all that wait, and one more, have had a place after 8 s.
  expect(refusalOf(() => room.take(1)).retryAfter).toBe(8)
})
