import { describe, expect, test } from "bun:test"
import protobuf from "protobufjs"
import { f32 } from "../../../src/core/tensor.ts"
import { gradients } from "../../../src/graph/autodiff.ts"
import { GraphBuilder } from "../../../src/graph/builder.ts"
import { lower } from "../../../src/graph/lower/lower.ts"
import { encodeModel } from "../../../src/graph/onnx/write.ts"

/** y = x W^T, its mean square, and the gradient towards W. */
function example() {
  const g = new GraphBuilder()
  const x = g.input("x", "f32", ["N", 4])
  const w = g.input("w", "f32", [3, 4])
  const frozen = g.weight("frozen", [3, 3], { offset: 4096, length: 36 })
  const y = g.gemm(g.gemm(x, w, { transB: true }), frozen)
  const loss = g.reduceSum(g.mul(y, y), [0, 1])
  g.output("loss", loss)
  g.output("dw", gradients(g, loss, [w])[0]!)
  return g.finish("example")
}

describe("lower()", () => {
  test("gives equal bytes for equal graphs", () => {
    expect(encodeModel(lower(example(), "fused"))).toEqual(encodeModel(lower(example(), "fused")))
  })

  test("keeps frozen weights outside the graph", () => {
    const model = lower(example(), "fused")
    const weight = model.initializers.find(({ name }) => name === "frozen")!
    expect(weight.data).toEqual({ kind: "external", location: "weights.bin", offset: 4096, length: 36 })
  })

  test("computes no gradient of a frozen weight: only one product of the backward pass has the weight's shape", () => {
    const g = new GraphBuilder()
    const x = g.input("x", "f32", [2, 4])
    const frozen = g.weight("frozen", [4, 4], { offset: 0, length: 64 })
    const scale = g.input("scale", "f32", [4])
    const loss = g.reduceSum(g.mul(g.gemm(x, frozen), scale), [0, 1])
    g.output("ds", gradients(g, loss, [scale])[0]!)
    const products = lower(g.finish("g"), "fused").nodes.filter(({ opType }) => opType === "Gemm")
    // The forward product alone: the backward pass stops above it.
    expect(products.length).toBe(1)
  })

  test("puts last, where the engine begins, what early outputs alone need", () => {
    const names = (early: boolean) => {
      const g = new GraphBuilder()
      const x = g.input("x", "f32", [2])
      const shared = g.exp(x)
      g.output("loss", g.reduceSum(g.neg(shared), [0]), { early })
      g.output("gradient", g.tanh(g.sqrt(shared)))
      return lower(g.finish("g"), "fused").nodes.map(({ opType }) => opType)
    }
    expect(names(false)).toEqual(["Exp", "Neg", "ReduceSum", "Sqrt", "Tanh"])
    expect(names(true)).toEqual(["Exp", "Sqrt", "Tanh", "Neg", "ReduceSum"])
  })

  test("names the size that nothing carries", () => {
    const g = new GraphBuilder()
    g.output("z", g.zeros(["Q"]))
    expect(() => lower(g.finish("lost"), "fused")).toThrow(/"lost" carries the size Q/)
  })
})

test("building the same node twice gives the same value", () => {
  const g = new GraphBuilder()
  const x = g.input("x", "f32", [2])
  expect(g.mul(x, 2)).toBe(g.mul(x, 2))
  expect(g.exp(x)).not.toBe(g.exp(g.exp(x)))
})

test("gradients() refuses a target that is no scalar", () => {
  const g = new GraphBuilder()
  const x = g.input("x", "f32", [2])
  expect(() => gradients(g, x, [x])).toThrow(/Expected a scalar/)
})

test("encodeModel() writes what protobufjs reads back", () => {
  const proto = `syntax = "proto3";
    message Attribute { string name = 1; float f = 2; int64 i = 3; bytes s = 4; repeated float floats = 7; repeated int64 ints = 8; int32 type = 20; }
    message Node { repeated string input = 1; repeated string output = 2; string name = 3; string op_type = 4; repeated Attribute attribute = 5; string domain = 7; }
    message Entry { string key = 1; string value = 2; }
    message Tensor { repeated int64 dims = 1; int32 data_type = 2; string name = 8; bytes raw_data = 9; repeated Entry external_data = 13; int32 data_location = 14; }
    message Dim { oneof value { int64 dim_value = 1; string dim_param = 2; } }
    message Shape { repeated Dim dim = 1; }
    message TensorType { int32 elem_type = 1; Shape shape = 2; }
    message Type { TensorType tensor_type = 1; }
    message ValueInfo { string name = 1; Type type = 2; }
    message Graph { repeated Node node = 1; string name = 2; repeated Tensor initializer = 5; repeated ValueInfo input = 11; repeated ValueInfo output = 12; }
    message OperatorSet { string domain = 1; int64 version = 2; }
    message Model { int64 ir_version = 1; string producer_name = 2; Graph graph = 7; repeated OperatorSet opset_import = 8; }`
  const { root } = protobuf.parse(proto, { keepCase: true })
  const data = f32([2], [1, -2]).data
  const bytes = encodeModel({
    name: "g",
    opsets: { "": 18, "com.microsoft": 1 },
    inputs: [{ name: "x", dtype: "i64", shape: [3, "N"] }],
    outputs: [{ name: "y", dtype: "f32", shape: [] }],
    initializers: [
      { name: "c", dtype: "f32", shape: [2], data: { kind: "inline", bytes: new Uint8Array(data.buffer) } },
      {
        name: "w",
        dtype: "f32",
        shape: [5],
        data: { kind: "external", location: "weights.bin", offset: 4096, length: 20 },
      },
    ],
    nodes: [
      {
        name: "n",
        opType: "Gemm",
        domain: "com.microsoft",
        inputs: ["x", "", "c"],
        outputs: ["y"],
        attributes: {
          a: { kind: "int", value: -1 },
          b: { kind: "float", value: 0.5 },
          c: { kind: "ints", value: [1, -2] },
          d: { kind: "string", value: "add" },
          e: { kind: "floats", value: [0.25] },
        },
      },
    ],
  })
  const type = root.lookupType("Model")
  const model = type.toObject(type.decode(bytes), { longs: Number, bytes: Array, arrays: true }) as {
    ir_version: number
    opset_import: { domain?: string; version: number }[]
    graph: {
      node: { input: string[]; domain: string; attribute: Record<string, unknown>[] }[]
      initializer: Record<string, unknown>[]
      input: unknown[]
    }
  }
  expect(model.ir_version).toBe(10)
  expect(model.opset_import.map(({ domain = "", version }) => [domain, version])).toEqual([
    ["", 18],
    ["com.microsoft", 1],
  ])
  const [node] = model.graph.node
  expect(node!.input).toEqual(["x", "", "c"])
  expect(node!.domain).toBe("com.microsoft")
  expect(node!.attribute.map(({ name, type }) => [name, type])).toEqual([
    ["a", 2],
    ["b", 1],
    ["c", 7],
    ["d", 3],
    ["e", 6],
  ])
  expect(node!.attribute[0]!["i"]).toBe(-1)
  expect(node!.attribute[2]!["ints"]).toEqual([1, -2])
  expect(model.graph.initializer[0]!["raw_data"]).toEqual([...new Uint8Array(data.buffer)])
  expect(model.graph.initializer[1]!["external_data"]).toEqual([
    { key: "location", value: "weights.bin" },
    { key: "offset", value: "4096" },
    { key: "length", value: "20" },
  ])
  expect(model.graph.input).toEqual([
    { name: "x", type: { tensor_type: { elem_type: 7, shape: { dim: [{ dim_value: 3 }, { dim_param: "N" }] } } } },
  ])
})
