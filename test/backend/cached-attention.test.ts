/**
 * @module Attention over a cache under both lowerings: what a layer within a window or under a cap computes on a backend
 * whose own node lacks them is what the node computes where it has them.
 */
import { expect, test } from "bun:test"
import { rng } from "../../src/core/rng.ts"
import { f32, i32, i64, type Tensor } from "../../src/core/tensor.ts"
import { GraphBuilder } from "../../src/graph/builder.ts"
import { lower } from "../../src/graph/lower/lower.ts"
import { encodeModel } from "../../src/graph/onnx/write.ts"
import { native } from "../../src/runtime/native.ts"

const [HEADS, KV, D, P] = [4, 2, 16, 12]

/** New tokens of `starts.length` rows, the first of each at its start. */
function feedsOf(starts: readonly number[], length: number): Record<string, Tensor> {
  const random = rng(5, "cached-attention")
  const numbers = (...shape: number[]) =>
    f32(
      shape,
      Float32Array.from({ length: shape.reduce((a, b) => a * b) }, () => 4 * random.next() - 2),
    )
  const B = starts.length
  const positions = starts.flatMap((start) => Array.from({ length }, (_, t) => start + t))
  const perHead = starts.flatMap((start) =>
    Array.from({ length: KV }, () => Array.from({ length }, (_, t) => start + t)).flat(),
  )
  return {
    q: numbers(B, length, HEADS * D),
    k: numbers(B, length, KV * D),
    v: numbers(B, length, KV * D),
    pastK: numbers(B, KV, P, D),
    pastV: numbers(B, KV, P, D),
    last: i32(
      [B],
      starts.map((start) => start + length - 1),
    ),
    total: i32([1], [Math.max(...starts) + length]),
    places: i64([B, KV, length, 1], perHead),
    positions: i64([B, length], positions),
  }
}

const cases = [
  ["a window", { window: 4, cap: null }],
  ["a cap", { window: null, cap: 1.5 }],
  ["both", { window: 3, cap: 1.5 }],
] as const

for (const [name, settings] of cases) {
  for (const [rows, starts, length] of [
    ["a token each of rows of different lengths", [2, 9, 0], 1],
    ["tokens of one row over what it has", [5], 4],
  ] as const) {
    test(`${name}: ${rows}`, async () => {
      const runtime = await native.open({ threads: 1 })
      const feeds = feedsOf(starts, length)
      const found = []
      for (const lowering of ["fused", "standard"] as const) {
        const g = new GraphBuilder()
        const shapes: Record<string, readonly (string | number)[]> = {
          q: ["B", "T", HEADS * D],
          k: ["B", "T", KV * D],
          v: ["B", "T", KV * D],
          pastK: ["B", KV, "P", D],
          pastV: ["B", KV, "P", D],
          last: ["B"],
          total: [1],
          places: ["B", KV, "T", 1],
          positions: ["B", "T"],
        }
        const inputs = Object.entries(shapes).map(([name, shape]) => g.input(name, feeds[name]!.dtype, shape))
        const attrs = { heads: HEADS, kvHeads: KV, scale: 0.6, rotary: false, ...settings }
        for (const [i, output] of g.cachedAttention(inputs, attrs).entries()) g.output(`o${i}`, output)
        const model = encodeModel(lower(g.finish("cached"), lowering))
        const session = await runtime.createSession({ model, weights: null })
        const outputs = await session.run(feeds)
        found.push([0, 1, 2].map((i) => Float32Array.from(outputs[`o${i}`]!.data as Float32Array)))
        await session.dispose()
      }
      await runtime.dispose()
      const [fused, standard] = found
      for (const i of [0, 1, 2]) {
        expect(standard![i]!.length).toBe(fused![i]!.length)
        for (const [j, x] of standard![i]!.entries()) expect(x).toBeCloseTo(fused![i]![j]!, 4)
      }
    })
  }
}

const layouts = [
  ["caches as they lie", []],
  ["caches with an axis of 1 after the heads", [1]],
] as const

for (const [layout, axis] of layouts) {
  test(`${layout}: a token alone sees what it sees as one of several, queries, keys and values side by side and not yet rotated`, async () => {
    const runtime = await native.open({ threads: 1 })
    const width = (HEADS + 2 * KV) * D
    const g = new GraphBuilder()
    const shapes: Record<string, [Tensor["dtype"], readonly (string | number)[]]> = {
      qkv: ["f32", ["B", "T", width]],
      pastK: ["f32", ["B", KV, ...axis, "P", D]],
      pastV: ["f32", ["B", KV, ...axis, "P", D]],
      last: ["i32", ["B"]],
      total: ["i32", [1]],
      places: ["i64", ["B", KV, "T", 1]],
      positions: ["i64", ["B", "T"]],
      cos: ["f32", [P, D / 2]],
      sin: ["f32", [P, D / 2]],
    }
    const inputs = Object.entries(shapes).map(([name, [dtype, shape]]) => g.input(name, dtype, shape))
    const attrs = { heads: HEADS, kvHeads: KV, scale: 0.6, rotary: true, window: null, cap: null, packed: true }
    for (const [i, output] of g.cachedAttention(inputs, attrs).entries()) g.output(`o${i}`, output)
    const session = await runtime.createSession({
      model: encodeModel(lower(g.finish("cached"), "fused")),
      weights: null,
    })
    const random = rng(6, "cached-attention")
    const numbers = (size: number) => Float32Array.from({ length: size }, () => 4 * random.next() - 2)
    const angles = Float32Array.from({ length: (P * D) / 2 }, (_, i) => Math.floor(i / (D / 2)) * 0.7 ** (i % (D / 2)))
    const tables = { cos: f32([P, D / 2], angles.map(Math.cos)), sin: f32([P, D / 2], angles.map(Math.sin)) }
    const [start, length] = [5, 3]
    const own = numbers(length * width)
    const caches = { pastK: numbers(KV * P * D), pastV: numbers(KV * P * D) }
    const run = async (from: number, count: number) => {
      const at = Array.from({ length: count }, (_, t) => from + t)
      const outputs = await session.run({
        ...tables,
        qkv: f32([1, count, width], own.slice((from - start) * width, (from - start + count) * width)),
        pastK: f32([1, KV, ...axis, P, D], caches.pastK),
        pastV: f32([1, KV, ...axis, P, D], caches.pastV),
        last: i32([1], [from + count - 1]),
        total: i32([1], [from + count]),
        places: i64([1, KV, count, 1], [...at, ...at]),
        positions: i64([1, count], at),
      })
      expect(outputs["o0"]!.shape).toEqual([count, HEADS * D])
      for (const name of ["o1", "o2"]) expect(outputs[name]!.shape).toEqual([1, KV, ...axis, count, D])
      return [0, 1, 2].map((i) => outputs[`o${i}`]!.data as Float32Array)
    }
    const together = await run(start, length)
    for (let t = 0; t < length; t++) {
      const [y, ...added] = await run(start + t, 1)
      for (const [j, x] of y!.entries()) expect(x).toBeCloseTo(together[0]![t * HEADS * D + j]!, 4)
      for (const [i, cache] of [caches.pastK, caches.pastV].entries())
        for (let head = 0; head < KV; head++) {
          const row = added[i]!.subarray(head * D, (head + 1) * D)
          for (const [d, x] of row.entries()) expect(x).toBeCloseTo(together[i + 1]![(head * length + t) * D + d]!, 5)
          cache.set(row, (head * P + start + t) * D)
        }
    }
    await session.dispose()
    await runtime.dispose()
  })
}
