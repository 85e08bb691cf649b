import { describe, expect, test } from "bun:test"
import { f32, i64 } from "../../../src/core/tensor.ts"
import { gradients } from "../../../src/graph/autodiff.ts"
import { GraphBuilder } from "../../../src/graph/builder.ts"
import type { GraphModel, Value } from "../../../src/graph/ir.ts"
import { lower } from "../../../src/graph/lower/lower.ts"
import type { Lowering } from "../../../src/graph/op.ts"

/** A matrix held as f16. */
const held = (g: GraphBuilder, name: string, shape: readonly [number, number]): Value =>
  g.weight(name, shape, { offset: 0, length: 2 * shape[0] * shape[1] }, "f16")

/** Rows of a table, two layers with a trainable scale between them, an output layer as f32, and the gradient of the scale. */
function trained(): GraphModel {
  const g = new GraphBuilder()
  const x = g.f16Rows(held(g, "table", [9, 64]), g.input("ids", "i64", ["N"]))
  const scale = g.input("scale", "f32", [32])
  const h = g.mul(g.f16Product(x, held(g, "up", [32, 64]), { transB: true }), scale)
  const y = g.f16Product(h, held(g, "down", [32, 64]), { transB: false })
  const z = g.gemm(y, g.f16Value(held(g, "head", [96, 64]), y), { transB: true })
  g.output("d", gradients(g, g.reduceSum(g.mul(z, z), [0, 1]), [scale])[0]!)
  return g.finish("trained")
}

for (const lowering of ["fused", "standard"] as const satisfies readonly Lowering[])
  describe(`weights held as f16, ${lowering} lowering`, () => {
    const model = lower(trained(), lowering)
    const madeBy = new Map(model.nodes.flatMap((node) => node.outputs.map((name) => [name, node] as const)))

    test("become f32 only once an input of the graph is there, one layer at a time", () => {
      const inputs = new Set(model.inputs.map(({ name }) => name))
      const waits = (name: string): boolean => inputs.has(name) || (madeBy.get(name)?.inputs.some(waits) ?? false)
      const made = model.nodes.filter(({ opType }) => opType === "Cast")
      // The table's rows; each layer and the output layer once, and `down` once more for the gradient of the scale.
      expect(made.length).toBe(5)
      expect(made.every(({ inputs: [weight] }) => waits(weight!))).toBe(true)
      expect(new Set(made.map(({ inputs: [weight] }) => weight)).size).toBe(5)
    })

    test("get no gradient of their own", () => {
      // Forward: up, down, head. Backward: through the head and through down.
      expect(model.nodes.filter(({ opType }) => opType === "Gemm").length).toBe(5)
    })

    test("lie in the weights' file as f16", () => {
      const external = model.initializers.filter(({ data }) => data.kind === "external")
      expect(external.map(({ name, dtype }) => `${name} ${dtype}`).sort()).toEqual(
        ["down f16", "head f16", "table f16", "up f16"].sort(),
      )
    })
  })

describe("what doesn't fit is refused, with what was found", () => {
  const g = new GraphBuilder()
  const x = g.input("x", "f32", ["N", 64])
  const weight = g.constant({ dtype: "f16", shape: [5, 32], data: new Uint16Array(160) })
  const single = g.constant(f32([5, 64], new Float32Array(320)))
  const ids = g.constant(i64([1], [0]))
  const rows: readonly (readonly [string, () => unknown, RegExp])[] = [
    ["a product of f32", () => g.f16Product(x, single, { transB: true }), /a weight of f16 but found f32 \[5,64\]/],
    ["rows of f32", () => g.f16Rows(single, ids), /a weight of f16 but found f32/],
    ["a value of f32", () => g.f16Value(single, x), /a weight of f16 but found f32/],
    ["other sizes", () => g.f16Product(x, weight, { transB: true }), /f16Product of \[N,64\] and \[5,32\]\^T/],
    ["other sizes the other way round", () => g.f16Product(x, weight, { transB: false }), /\[N,64\] and \[5,32\]$/],
  ]
  for (const [name, build, message] of rows) test(name, () => expect(build).toThrow(message))
})
