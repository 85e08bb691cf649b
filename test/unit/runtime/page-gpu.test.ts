/**
 * @module The GPU of a page, over an engine that notes when two of its calls are under way at once.
 */
import { expect, test } from "bun:test"
import type { EngineSession } from "../../../src/runtime/ort.ts"
import { createPageGpu, type WatchedDevice, type WebEngine } from "../../../src/runtime/page-gpu.ts"

/** An engine, how many of its calls are under way and were at most, and how its devices are lost. */
function engine() {
  const calls = { now: 0, most: 0, made: 0 }
  let device: WatchedDevice | null = null
  let held = 0
  let lose: (why: Awaited<WatchedDevice["lost"]>) => void = () => {}
  const call = async <T>(answer: T): Promise<T> => {
    calls.most = Math.max(calls.most, ++calls.now)
    await new Promise((resolve) => setTimeout(resolve, 2))
    calls.now--
    return answer
  }
  const session = {
    ...{ inputNames: ["x"], outputNames: ["y"] },
    run: (feeds: object) => call(feeds),
    release() {
      // As the engine does it: a device that nobody needs is destroyed, and the next session asks for another.
      if (--held === 0) {
        device = null
        lose({ reason: "destroyed", message: "" })
      }
      return call(undefined)
    },
  } as unknown as EngineSession
  const ort: WebEngine = {
    InferenceSession: {
      create() {
        calls.made++
        held++
        device ??= {
          lost: new Promise((resolve) => {
            lose = resolve
          }),
        }
        return call(session)
      },
    },
    env: {
      webgpu: {
        get device() {
          return Promise.resolve(device)
        },
      },
    },
  }
  return { ort, calls, lose: (why: Awaited<WatchedDevice["lost"]>) => lose(why) }
}

test("sessions are made, run and released one call at a time, whichever they are", async () => {
  const { ort, calls } = engine()
  const gpu = createPageGpu()
  const make = () => gpu.createSession(ort, new Uint8Array(0), {})
  const [first, second] = await Promise.all([make(), make()])
  const feeds = [{}, {}, {}]
  const runs = feeds.map((each, i) => (i === 1 ? second! : first!).run(each as never))
  const [third] = await Promise.all([make(), ...runs, first!.release()])
  expect((await Promise.all(runs)).every((found, i) => (found as unknown) === feeds[i])).toBe(true)
  expect([third!.inputNames, third!.outputNames]).toEqual([["x"], ["y"]])
  expect(calls).toEqual({ now: 0, most: 1, made: 3 })
})

test("what fails on a device that is lost says so, however late it tells, and it is known from then on", async () => {
  const { ort, lose } = engine()
  const gpu = createPageGpu()
  const make = () => gpu.createSession(ort, new Uint8Array(0), {})
  const cause = new Error("Buffer with '' label is invalid")
  const refused = {
    ...{ code: "internal", cause },
    message: "The engine refused the run: Buffer with '' label is invalid",
  }
  // A device that went with its last session was not lost.
  const first = await make()
  await first.release()
  const second = await make()
  expect(await gpu.explain("the run", cause)).toMatchObject(refused)
  gpu.check()
  setTimeout(() => lose({ reason: "unknown", message: "" }), 20)
  const gone = { code: "unavailable", message: "The GPU was lost: unknown" }
  expect(await gpu.explain("the run", cause)).toMatchObject(gone)
  await second.release()
  expect(() => gpu.check()).toThrow(expect.objectContaining(gone))
})
