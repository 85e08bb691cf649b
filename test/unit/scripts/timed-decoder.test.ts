import { expect, test } from "bun:test"
import { watched } from "../../../scripts/torture/timed-decoder.ts"
import { f32 } from "../../../src/core/tensor.ts"
import type { Runtime } from "../../../src/runtime/runtime.ts"
import type { BoundAdapter, Decoder, Sequence } from "../../../src/serve/decoder.ts"

/** A clock that only work moves on: 5 a run, 2 beside it in each step, 3 a bind. */
function trial() {
  let now = 0
  const runtime: Runtime = {
    ...{ name: "native", detail: "", lowering: "fused", threads: 1, deterministic: true },
    createSession: async () => ({
      async run() {
        now += 5
        return { y: f32([1], [0]) }
      },
      dispose: async () => {},
    }),
    dispose: async () => {},
  }
  const one = watched(runtime, () => now)
  const decoder: Decoder = {
    info: { vocabSize: 1, contextLength: 8, hiddenSize: 1 },
    async bind({ hash }) {
      now += 3
      return { hash, virtualTokens: 0, dispose: async () => {} }
    },
    open: async () => ({}) as Sequence,
    async step(rows) {
      now += 2
      await (await session).run({})
      return rows.map(() => new Float32Array(1))
    },
    dispose: async () => {},
  }
  const session = one.runtime.createSession({ model: new Uint8Array(), weights: null })
  return { seen: one.seen, decoder: one.watch(decoder) }
}

test("a step's time beside the run is noted, and how many rows came to sit on an adapter in it", async () => {
  const { seen, decoder } = trial()
  const bound = await decoder.bind({ hash: "a" } as Parameters<Decoder["bind"]>[0])
  const on = (adapter: BoundAdapter | null) => decoder.open(adapter, 8)
  const [first, second, plain] = [await on(bound), await on(bound), await on(null)]
  const step = (...sequences: Sequence[]) => decoder.step(sequences.map((sequence) => ({ sequence, token: 0 })))
  await step(first, plain)
  await step(first, plain)
  await step(plain, second, first)
  expect(seen.steps).toEqual([
    { beside: 2, rows: 2, swapped: 1 },
    { beside: 2, rows: 2, swapped: 0 },
    { beside: 2, rows: 3, swapped: 1 },
  ])
  expect(seen.binds).toEqual([3])
  expect(seen.sessions).toBe(1)
})
