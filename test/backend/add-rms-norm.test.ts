/**
 * @module A sum and its norm in one node, under both lowerings and on both engines, against the two nodes apart.
 */
import { expect, test } from "bun:test"
import { rng } from "../../src/core/rng.ts"
import { f32 } from "../../src/core/tensor.ts"
import { GraphBuilder } from "../../src/graph/builder.ts"
import { lower } from "../../src/graph/lower/lower.ts"
import { encodeModel } from "../../src/graph/onnx/write.ts"
import { native } from "../../src/runtime/native.ts"
import { wasm } from "../../src/runtime/wasm.ts"

const [ROWS, WIDTH, EPSILON] = [5, 48, 1e-5]

function feeds() {
  const random = rng(3, "add-rms-norm")
  const numbers = (...shape: number[]) =>
    f32(
      shape,
      Float32Array.from({ length: shape.reduce((a, b) => a * b) }, () => 4 * random.next() - 2),
    )
  return { a: numbers(ROWS, WIDTH), b: numbers(ROWS, WIDTH), w: numbers(WIDTH) }
}

for (const backend of [native, wasm])
  for (const lowering of ["fused", "standard"] as const)
    test(`${backend.name}, ${lowering}: the sum and its norm are what the two give apart`, async () => {
      const runtime = await backend.open({ threads: 1 })
      const g = new GraphBuilder()
      const input = (name: string) => g.input(name, "f32", ["N", WIDTH])
      const [a, b, w] = [input("a"), input("b"), g.input("w", "f32", [WIDTH])]
      const [y, sum] = g.addRmsNorm(a, b, w, EPSILON)
      g.output("y", y)
      g.output("sum", sum)
      const apart = g.add(a, b)
      g.output("apart", apart)
      g.output("normed", g.rmsNorm(apart, w, EPSILON))
      const model = encodeModel(lower(g.finish("add-rms-norm"), lowering))
      const session = await runtime.createSession({ model, weights: null })
      const found = await session.run(feeds())
      const values = (name: string) => found[name]!.data as Float32Array
      expect(values("sum")).toEqual(values("apart"))
      const largest = Math.max(...values("y").map((value, i) => Math.abs(value - values("normed")[i]!)))
      expect(largest).toBeLessThan(2e-6)
      await session.dispose()
      await runtime.dispose()
    })

test("tensors of two shapes are refused", () => {
  const g = new GraphBuilder()
  const [a, b, w] = [g.input("a", "f32", [2, 4]), g.input("b", "f32", [1, 4]), g.input("w", "f32", [4])]
  expect(() => g.addRmsNorm(a, b, w, EPSILON)).toThrow("[2,4] and [1,4]")
})
