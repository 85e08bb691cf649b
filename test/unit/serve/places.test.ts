/**
 * @module Places in memory: who gives way to whom, who waits, and who is refused.
 */
import { expect, test } from "bun:test"
import { EspalierError } from "../../../src/core/errors.ts"
import { createPlaces, type Occupant } from "../../../src/serve/places.ts"

/** An occupant who notes that it left. */
function occupant(name: string, left: string[], { movable = true } = {}) {
  const state = {
    idle: true,
    movable,
    leave() {
      left.push(name)
    },
  }
  return state satisfies Occupant
}

/** So many places, with an occupant in each. */
async function full(names: string, movable = true) {
  const left: string[] = []
  const places = createPlaces(names.length)
  const occupants = [...names].map((name) => occupant(name, left, { movable }))
  for (const each of occupants) {
    await places.take("name")
    places.occupy(each)
  }
  return { places, occupants, left }
}
const settled = async (promise: Promise<unknown>): Promise<boolean> =>
  Promise.race([promise.then(() => true), Bun.sleep(1).then(() => false)])

test("the one used longest ago gives way", async () => {
  const { places, occupants, left } = await full("abc")
  places.touch(occupants[0]!)
  await places.take("name")
  expect(left).toEqual(["b"])
  places.occupy(occupant("d", left))
  await places.take("name")
  await places.take("name")
  expect(left).toEqual(["b", "c", "a"])
})

test("one in use stays while another is idle, and what lies nowhere else always", async () => {
  const { places, occupants, left } = await full("abc")
  Object.assign(occupants[0]!, { idle: false })
  Object.assign(occupants[1]!, { movable: false })
  await places.take("name")
  expect(left).toEqual(["c"])
})

test("where all are in use, whoever wants a place has that of the first to end, first come, first served", async () => {
  const { places, occupants, left } = await full("ab")
  for (const each of occupants) Object.assign(each, { idle: false })
  const order: number[] = []
  const waits = [1, 2, 3].map((i) => places.take("name").then(() => void order.push(i)))
  expect(left).toEqual(["a", "b"])
  expect(await settled(waits[0]!)).toBe(false)
  places.vacate(occupants[1]!)
  await waits[0]
  const third = occupant("c", left)
  places.occupy(third)
  // It is idle, so that the one that waits next has its place at once.
  await waits[1]
  expect([left, order]).toEqual([
    ["a", "b", "c"],
    [1, 2],
  ])
  places.cancel()
  await waits[2]
})

test("one that becomes idle gives way to whoever waits", async () => {
  const { places, occupants, left } = await full("ab")
  Object.assign(occupants[0]!, { idle: false, movable: false })
  Object.assign(occupants[1]!, { idle: false })
  const wait = places.take("name")
  expect(left).toEqual(["b"])
  expect(await settled(wait)).toBe(false)
  places.vacate(occupants[1]!)
  await wait
})

test("nobody waits for what never comes", async () => {
  const { places, occupants } = await full("ab", false)
  await expect(places.take("name")).rejects.toMatchObject({
    code: "conflict",
    message: "2 adapters are loaded, which is the most this server holds",
  })
  places.vacate(occupants[0]!)
  await places.take("name")
  // What is to come may give way once it is there, and then has to be asked.
  const wait = places.take("name")
  expect(await settled(wait.catch(() => {}))).toBe(false)
  places.occupy(occupant("c", [], { movable: false }))
  await expect(wait).rejects.toMatchObject({ code: "conflict" })
})

test("one more than there are places gives way as soon as it can", async () => {
  const { places, occupants, left } = await full("ab")
  for (const each of occupants) Object.assign(each, { idle: false })
  places.admit(Object.assign(occupant("c", left), { idle: false }))
  expect(left).toEqual([])
  Object.assign(occupants[1]!, { idle: true })
  places.review()
  expect(left).toEqual(["b"])
})

test("so many wait and no more, and none when the engine closes", async () => {
  const { places, occupants } = await full("a")
  Object.assign(occupants[0]!, { idle: false })
  const waits = Array.from({ length: 256 }, () => places.take("name"))
  expect(() => places.take("name")).toThrow(expect.objectContaining({ code: "queue_full" }))
  places.close(new EspalierError("unavailable", "The engine is shutting down"))
  const outcomes = await Promise.allSettled(waits)
  expect(outcomes.every(({ status }) => status === "rejected")).toBe(true)
})
