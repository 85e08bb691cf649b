/**
 * @module What every backend must do, whatever it computes on: a backend joins by calling {@link runtimeCases} in a file
 * of its own under test/backend.
 */
import { afterAll, beforeAll, describe, expect, test } from "bun:test"
import { mkdtemp, rm, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { isEspalierError } from "../../src/core/errors.ts"
import { f32, i32, type Tensor } from "../../src/core/tensor.ts"
import type { Backend, FrozenWeights, Runtime, Session } from "../../src/runtime/runtime.ts"
import {
  attentionModel,
  identityModel,
  linearModel,
  linearWeights,
  mixedModel,
  scaleModel,
  truncatedWeights,
} from "../support/onnx-models.ts"

/** For what WebGPU without a GPU spends seconds on. */
const SLOW_MS = 60_000

const tensors: readonly Tensor[] = [
  f32([3], [1.5, -2, 65504]),
  { dtype: "f16", shape: [3], data: Uint16Array.of(0x3c00, 0xc000, 0x7bff) },
  { dtype: "i64", shape: [3], data: BigInt64Array.of(1n, -2n, 1n << 62n) },
  i32([3], [1, -2, 2 ** 31 - 1]),
  { dtype: "i8", shape: [3], data: Int8Array.of(1, -2, 127) },
  { dtype: "u8", shape: [3], data: Uint8Array.of(1, 2, 255) },
  { dtype: "bool", shape: [3], data: Uint8Array.of(1, 0, 1) },
]

const x = f32([2, 3], [1, 0, 0, 0, 1, 1])
/** `x` times the weights of {@link linearWeights}. */
const product = [1, 2, 8, 10]

/** Runs the cases on one backend, with 2 threads where it has threads. */
export function runtimeCases(backend: Backend): void {
  describe(`the ${backend.name} backend`, () => {
    let runtime: Runtime
    let folder: string
    let weights: FrozenWeights
    const sessions: Session[] = []
    const open = async (model: Uint8Array, of: FrozenWeights | null = null): Promise<Session> => {
      const session = await runtime.createSession({ model, weights: of })
      sessions.push(session)
      return session
    }
    const failureOf = async (work: Promise<unknown>): Promise<Error> => {
      const found = await work.then(
        () => null,
        (error: unknown) => error,
      )
      expect(found).toBeInstanceOf(Error)
      return found as Error
    }

    beforeAll(async () => {
      folder = await mkdtemp(join(tmpdir(), "espalier-runtime-"))
      runtime = await backend.open({ threads: 2, workFolder: folder })
      const path = join(folder, linearWeights.location)
      await writeFile(path, await linearWeights.bytes())
      weights = { ...linearWeights, path }
    })
    afterAll(async () => {
      for (const session of sessions) await session.dispose()
      await runtime.dispose()
      await rm(folder, { recursive: true, force: true })
    })

    test("says what it is", async () => {
      expect(runtime.name).toBe(backend.name)
      expect(runtime.detail).toContain("onnxruntime-")
      expect(runtime.threads).toBeGreaterThan(0)
    })

    test("multiplies by weights in a file, in several sessions", async () => {
      const [one, two] = [await open(linearModel, weights), await open(linearModel, weights)]
      expect([...(await one.run({ x })).y!.data]).toEqual(product)
      expect([...(await two.run({ x })).y!.data]).toEqual(product)
    })

    test("multiplies by weights in memory", async () => {
      const session = await open(linearModel, linearWeights)
      const { y } = await session.run({ x })
      expect(y).toEqual(f32([2, 2], product))
    })

    test("runs again with other sizes and leaves its feeds as they were", async () => {
      const session = await open(linearModel, weights)
      const before = x.data.slice()
      expect((await session.run({ x })).y!.shape).toEqual([2, 2])
      expect([...(await session.run({ x: f32([1, 3], [0, 0, 1]) })).y!.data]).toEqual([5, 6])
      expect([...(await session.run({ x })).y!.data]).toEqual(product)
      expect(x.data).toEqual(before)
    })

    test("takes no rows at all", async () => {
      const session = await open(linearModel, weights)
      expect((await session.run({ x: f32([0, 3], []) })).y).toEqual(f32([0, 2], []))
    })

    for (const tensor of tensors) {
      test(`hands over ${tensor.dtype} to the bit`, async () => {
        const session = await open(identityModel(tensor.dtype))
        expect((await session.run({ x: tensor })).y).toEqual(tensor)
        const target = { ...tensor, data: zeros(tensor.data) } as Tensor
        await session.run({ x: tensor }, { y: target })
        expect(target).toEqual(tensor)
        const none = { ...tensor, shape: [0], data: tensor.data.slice(0, 0) } as Tensor
        expect((await session.run({ x: none })).y).toEqual(none)
      })
    }

    test("writes into the very tensor it was given", async () => {
      const session = await open(linearModel, weights)
      const around = new Float32Array(8).fill(9)
      const target = f32([2, 2], around.subarray(2, 6))
      const { y } = await session.run({ x }, { y: target })
      expect(y).toBe(target)
      expect([...around]).toEqual([9, 9, ...product, 9, 9])
    })

    test("writes into a tensor that it reads in the same run", async () => {
      const session = await open(scaleModel)
      const state = f32([2, 3], [1, 2, 3, 4, 5, 6])
      await session.run({ x: state }, { y: state })
      await session.run({ x: state }, { y: state })
      expect([...state.data]).toEqual([4, 8, 12, 16, 20, 24])
    })

    test(
      "grows a cache of keys and values in place",
      async () => {
        const session = await open(attentionModel.model)
        const apart = attentionModel.feeds()
        const expected = await session.run(apart)
        const cache = attentionModel.feeds()
        const found = await session.run(cache, { presentKey: cache.pastKey, presentValue: cache.pastValue })
        expect(found.presentKey).toBe(cache.pastKey)
        expect(found.y).toEqual(expected.y!)
        expect<Tensor>(cache.pastKey).toEqual(expected.presentKey!)
        expect<Tensor>(cache.pastValue).toEqual(expected.presentValue!)
        expect(cache.pastKey.data).not.toEqual(apart.pastKey.data)
      },
      SLOW_MS,
    )

    test("refuses a feed that is missing, misshapen or of another type, names it, and works on", async () => {
      const session = await open(linearModel, weights)
      const wrong: [string, Tensor | undefined, RegExp][] = [
        ["missing", undefined, /Input x got no tensor/],
        ["of another rank", f32([6], [...x.data]), /input: x .*1.*2/],
        ["of another size", f32([3, 2], [...x.data]), /input: x .*2.*3/],
        ["of another type", i32([2, 3], [1, 2, 3, 4, 5, 6]), /int32.*float/],
        ["shorter than its shape", { dtype: "f32", shape: [2, 3], data: new Float32Array(5) }, /Tensor x .*6.*5/],
        ["of a size below 0", { dtype: "f32", shape: [-2, -3], data: new Float32Array(6) }, /Tensor x .*-2/],
        ["of bf16", { dtype: "bf16", shape: [2, 3], data: new Uint16Array(6) }, /Tensor x is bf16/],
      ]
      for (const [what, feed, message] of wrong) {
        const error = await failureOf(session.run(feed ? { x: feed } : { z: x }))
        expect(`${what}: ${error.message}`).toMatch(message)
      }
      expect([...(await session.run({ x })).y!.data]).toEqual(product)
    })

    test("refuses to write into a tensor of another shape or type, or for an output that is not there", async () => {
      const session = await open(linearModel, weights)
      const nine = () => new Float32Array(6).fill(9)
      const targets: Record<string, Tensor>[] = [
        { y: f32([3, 2], nine()) },
        { y: f32([1, 2], nine().subarray(0, 2)) },
        { y: f32([4], nine().subarray(0, 4)) },
        { y: i32([2, 2], new Int32Array(4).fill(9)) },
        { z: f32([2, 2], nine().subarray(0, 4)) },
      ]
      for (const into of targets) {
        const error = await failureOf(session.run({ x }, into))
        expect(error.message).toMatch(/\b[yz]\b|output data type/)
        for (const { data } of Object.values(into)) expect(new Set(data as Float32Array)).toEqual(new Set([9]))
      }
      expect([...(await session.run({ x })).y!.data]).toEqual(product)
    })

    test("refuses a second run while one is under way", async () => {
      const session = await open(linearModel, weights)
      const [first, second] = await Promise.allSettled([session.run({ x }), session.run({ x })])
      expect(first.status).toBe("fulfilled")
      expect(String((second as PromiseRejectedResult).reason)).toContain("must not overlap")
      expect([...(await session.run({ x })).y!.data]).toEqual(product)
    })

    test("runs two sessions side by side", async () => {
      const [one, two] = [await open(linearModel, weights), await open(scaleModel)]
      const [first, second] = await Promise.all([one.run({ x }), two.run({ x })])
      expect([...first.y!.data]).toEqual(product)
      expect([...second.y!.data]).toEqual([2, 0, 0, 0, 2, 2])
    })

    test("lets a run end before its session goes, goes once, and runs no more", async () => {
      const session = await runtime.createSession({ model: linearModel, weights })
      const [run] = await Promise.all([session.run({ x }), session.dispose()])
      expect([...run.y!.data]).toEqual(product)
      await session.dispose()
      expect((await failureOf(session.run({ x }))).message).toContain("disposed")
    })

    test("refuses bytes that are no model, and weights that end too early", async () => {
      const garbled = await failureOf(runtime.createSession({ model: Uint8Array.of(1, 2, 3, 4), weights: null }))
      expect(isEspalierError(garbled, "internal")).toBe(true)
      const short = await failureOf(runtime.createSession({ model: linearModel, weights: truncatedWeights }))
      expect(short.message).toMatch(/out of bounds|short|expected/i)
      expect(short.message).not.toMatch(/\.cc:\d/)
    })

    test(
      "gives the same bits each time, where it says so",
      async () => {
        const session = await open(mixedModel.model)
        const feeds = mixedModel.feeds()
        const first = await session.run(feeds)
        expect(Number.isFinite(first.sum!.data[0])).toBe(true)
        if (!runtime.deterministic) return
        for (let run = 0; run < 10; run++) {
          const next = await session.run(feeds)
          const changed = Object.entries(first).filter(
            ([name, { data }]) => Buffer.compare(bytes(data), bytes(next[name]!.data)) !== 0,
          )
          expect(changed.map(([name]) => name)).toEqual([])
        }
      },
      SLOW_MS,
    )
  })
}

const zeros = (like: Tensor["data"]): Tensor["data"] =>
  new (like.constructor as new (length: number) => Tensor["data"])(like.length)
const bytes = (data: Tensor["data"]): Uint8Array => new Uint8Array(data.buffer, data.byteOffset, data.byteLength)
