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
