import { expect, test } from "bun:test"
import { GraphBuilder } from "../../../../src/graph/builder.ts"
import { lower } from "../../../../src/graph/lower/lower.ts"
import { weightsAsInputs } from "../../../../src/graph/onnx/weights-as-inputs.ts"

test("weightsAsInputs() makes inputs of the weights' file alone: constants stay in the model, and nodes as they are", () => {
  const g = new GraphBuilder()
  const x = g.input("x", "f32", ["N", 4])
  const y = g.gemm(g.mul(x, 2), g.weight("w", [3, 4], { offset: 4096, length: 48 }), { transB: true })
  g.output("y", g.f16Product(y, g.weight("h", [3, 5], { offset: 8192, length: 30 }, "f16"), { transB: false }))
  const before = lower(g.finish("mixed"), "standard")
  const { model, weights } = weightsAsInputs(before)
  expect(weights).toEqual([
    { name: "w", dtype: "f32", shape: [3, 4], offset: 4096, length: 48 },
    { name: "h", dtype: "f16", shape: [3, 5], offset: 8192, length: 30 },
  ])
  expect(model.inputs.map(({ name, dtype }) => `${name} ${dtype}`)).toEqual(["x f32", "w f32", "h f16"])
  expect(model.initializers.every(({ data }) => data.kind === "inline")).toBe(true)
  expect(model.initializers.length).toBe(before.initializers.length - 2)
  expect(model.nodes).toBe(before.nodes)
  expect(before.inputs.length).toBe(1)
})
