/**
 * @module The ONNX writer against protobufjs, an independent decoder of the same wire format.
 */
import { describe, expect, test } from "bun:test"
import fc from "fast-check"
import protobuf from "protobufjs"
import {
  namesRead,
  type OnnxAttribute,
  type OnnxModel,
  type OnnxNode,
  withNames,
} from "../../../../src/graph/onnx/schema.ts"
import { encodeModel } from "../../../../src/graph/onnx/write.ts"

/** The messages we write, as https://github.com/onnx/onnx/blob/v1.18.0/onnx/onnx.proto3 has them. */
const proto = protobuf
  .parse(
    `syntax = "proto3"; package onnx;
  message AttributeProto {
    string name = 1; float f = 2; int64 i = 3; bytes s = 4; GraphProto g = 6; repeated float floats = 7; repeated int64 ints = 8;
    int32 type = 20;
  }
  message ValueInfoProto { string name = 1; TypeProto type = 2; }
  message NodeProto {
    repeated string input = 1; repeated string output = 2; string name = 3; string op_type = 4;
    repeated AttributeProto attribute = 5; string domain = 7;
  }
  message ModelProto {
    int64 ir_version = 1; string producer_name = 2; GraphProto graph = 7; repeated OperatorSetIdProto opset_import = 8;
  }
  message StringStringEntryProto { string key = 1; string value = 2; }
  message GraphProto {
    repeated NodeProto node = 1; string name = 2; repeated TensorProto initializer = 5;
    repeated ValueInfoProto input = 11; repeated ValueInfoProto output = 12;
  }
  message TensorProto {
    repeated int64 dims = 1; int32 data_type = 2; string name = 8; bytes raw_data = 9;
    repeated StringStringEntryProto external_data = 13; int32 data_location = 14;
  }
  message TensorShapeProto {
    message Dimension { oneof value { int64 dim_value = 1; string dim_param = 2; } }
    repeated Dimension dim = 1;
  }
  message TypeProto {
    message Tensor { int32 elem_type = 1; TensorShapeProto shape = 2; }
    oneof value { Tensor tensor_type = 1; }
  }
  message OperatorSetIdProto { string domain = 1; int64 version = 2; }`,
    { keepCase: true },
  )
  .root.lookupType("onnx.ModelProto")

// biome-ignore format: the table of onnx.proto3, written here a second time on purpose
const types = { f32: 1, u8: 2, i8: 3, i32: 6, i64: 7, bool: 9, f16: 10, bf16: 16 } as const

/** What a decoder finds in the bytes, absent fields at their defaults: 64-bit numbers as texts, bytes as base64. */
const decoded = (model: OnnxModel) =>
  proto.toObject(proto.decode(encodeModel(model)), { longs: String, bytes: String, defaults: true })

const base64 = (bytes: Uint8Array | string): string => Buffer.from(bytes).toString("base64")

const nodeOf = (node: OnnxNode): object => ({
  input: node.inputs,
  output: node.outputs,
  name: node.name,
  op_type: node.opType,
  attribute: Object.entries(node.attributes).map(([key, value]) => attribute(key, value)),
  domain: node.domain,
})

function attribute(name: string, { kind, value }: OnnxAttribute) {
  const empty = { name, f: 0, i: "0", s: "", g: null, floats: [], ints: [] }
  switch (kind) {
    case "float":
      return { ...empty, f: Math.fround(value), type: 1 }
    case "int":
      return { ...empty, i: String(value), type: 2 }
    case "string":
      return { ...empty, s: base64(value), type: 3 }
    case "graph": {
      const output = value.outputs.map(({ name, dtype }) => ({
        name,
        type: { tensor_type: { elem_type: types[dtype], shape: null } },
      }))
      const g = { node: value.nodes.map(nodeOf), name: value.name, initializer: [], input: [], output }
      return { ...empty, g, type: 5 }
    }
    case "floats":
      return { ...empty, floats: value.map(Math.fround), type: 6 }
    case "ints":
      return { ...empty, ints: value.map(String), type: 7 }
  }
}

/** The same model as a decoder should find it. */
function expected({ name, opsets, inputs, outputs, initializers, nodes }: OnnxModel) {
  const info = ({ name, dtype, shape }: OnnxModel["inputs"][number]) => ({
    name,
    type: {
      tensor_type: {
        elem_type: types[dtype],
        shape: { dim: shape.map((dim) => (typeof dim === "number" ? { dim_value: String(dim) } : { dim_param: dim })) },
      },
    },
  })
  const tensor = ({ name, dtype, shape, data }: OnnxModel["initializers"][number]) => ({
    dims: shape.map(String),
    data_type: types[dtype],
    name,
    raw_data: data.kind === "inline" ? base64(data.bytes) : "",
    external_data:
      data.kind === "inline"
        ? []
        : [
            { key: "location", value: data.location },
            { key: "offset", value: String(data.offset) },
            { key: "length", value: String(data.length) },
          ],
    data_location: data.kind === "inline" ? 0 : 1,
  })
  return {
    ir_version: "10",
    producer_name: "espalier",
    graph: {
      node: nodes.map(nodeOf),
      name,
      initializer: initializers.map(tensor),
      input: inputs.map(info),
      output: outputs.map(info),
    },
    opset_import: Object.entries(opsets).map(([domain, version]) => ({ domain, version: String(version) })),
  }
}

const dtype = fc.constantFrom(...(Object.keys(types) as (keyof typeof types)[]))
const size = fc.oneof(fc.nat({ max: 9 }), fc.maxSafeNat())
const wellFormed = fc.string({ unit: "grapheme", maxLength: 12 })
const info = fc.record({ name: wellFormed, dtype, shape: fc.array(fc.oneof(size, wellFormed), { maxLength: 4 }) })
const attributes = fc.dictionary(
  fc.stringMatching(/^[a-zA-Z_]{1,12}$/),
  fc.oneof(
    fc.record({ kind: fc.constant("int" as const), value: fc.maxSafeInteger() }),
    fc.record({ kind: fc.constant("float" as const), value: fc.float({ noNaN: true }) }),
    fc.record({ kind: fc.constant("string" as const), value: wellFormed }),
    fc.record({ kind: fc.constant("ints" as const), value: fc.array(fc.maxSafeInteger(), { maxLength: 5 }) }),
    fc.record({ kind: fc.constant("floats" as const), value: fc.array(fc.float({ noNaN: true }), { maxLength: 5 }) }),
  ),
  { maxKeys: 4, noNullPrototype: true },
)
const model: fc.Arbitrary<OnnxModel> = fc.record({
  name: wellFormed,
  opsets: fc.constantFrom({ "": 18 }, { "": 18, "com.microsoft": 1 }),
  inputs: fc.array(info, { maxLength: 3 }),
  outputs: fc.array(info, { maxLength: 3 }),
  initializers: fc.array(
    fc.record({
      name: wellFormed,
      dtype,
      shape: fc.array(size, { maxLength: 4 }),
      data: fc.oneof(
        fc.record({ kind: fc.constant("inline" as const), bytes: fc.uint8Array({ maxLength: 300 }) }),
        fc.record({
          kind: fc.constant("external" as const),
          location: wellFormed,
          offset: fc.maxSafeNat(),
          length: fc.maxSafeNat(),
        }),
      ),
    }),
    { maxLength: 3 },
  ),
  nodes: fc.array(
    fc.record({
      name: wellFormed,
      opType: wellFormed,
      domain: fc.constantFrom("", "com.microsoft"),
      inputs: fc.array(wellFormed, { maxLength: 4 }),
      outputs: fc.array(wellFormed, { maxLength: 3 }),
      attributes,
    }),
    { maxLength: 4 },
  ),
})

const plain: OnnxModel = {
  name: "plain",
  opsets: { "": 18, "com.microsoft": 1 },
  inputs: [{ name: "x", dtype: "f32", shape: ["B", 3] }],
  outputs: [{ name: "y", dtype: "f32", shape: ["B", 2] }],
  initializers: [
    { name: "w", dtype: "f32", shape: [3, 2], data: { kind: "external", location: "w.bin", offset: 4096, length: 24 } },
    { name: "c", dtype: "f16", shape: [2], data: { kind: "inline", bytes: Uint8Array.of(0, 60, 0, 64) } },
  ],
  nodes: [
    {
      name: "clip",
      opType: "Clip",
      domain: "",
      // The empty name is an optional input left out: it must stay, or the next input would take its place.
      inputs: ["x", "", "most"],
      outputs: ["y"],
      attributes: { axis: { kind: "int", value: -1 }, alpha: { kind: "float", value: 0.5 } },
    },
  ],
}

/** A node with a branch in a branch, as nothing here makes one yet and the format allows. */
const branching: OnnxNode = {
  ...{ name: "if", opType: "If", domain: "", inputs: ["c"], outputs: ["y"] },
  attributes: {
    then_branch: {
      kind: "graph",
      value: {
        name: "then",
        outputs: [{ name: "y.then", dtype: "f32" }],
        nodes: [
          {
            ...{ name: "inner", opType: "If", domain: "", inputs: ["d"], outputs: ["y.then"] },
            attributes: {
              else_branch: {
                kind: "graph",
                value: {
                  name: "else",
                  outputs: [{ name: "y.else", dtype: "i64" }],
                  nodes: [
                    {
                      ...{ name: "id", opType: "Identity", domain: "" },
                      inputs: ["x"],
                      outputs: ["y.else"],
                      attributes: {},
                    },
                  ],
                },
              },
            },
          },
        ],
      },
    },
  },
}

test("withNames() reaches names in branches, and in branches of these", () => {
  const there = withNames(branching, (name) => `new.${name}`)
  expect(namesRead(branching)).toEqual(["c", "d", "x", "y.else", "y.then"])
  expect(namesRead(there)).toEqual(["new.c", "new.d", "new.x", "new.y.else", "new.y.then"])
  expect(withNames(there, (name) => name.slice("new.".length))).toEqual(branching)
})

describe("encodeModel()", () => {
  test("writes what another decoder reads back, for any model", () => {
    fc.assert(fc.property(model, (each) => void expect(decoded(each)).toEqual(expected(each))))
  })

  test("writes branches, and branches of these", () => {
    const model = { ...plain, nodes: [branching] }
    expect(decoded(model)).toEqual(expected(model))
  })

  test("keeps external data, symbolic sizes, left-out inputs and negative numbers", () => {
    expect(decoded(plain)).toEqual(expected(plain))
  })

  test("gives equal bytes for equal models", () => {
    expect(encodeModel(structuredClone(plain))).toEqual(encodeModel(plain))
  })

  test("writes an inline tensor of several megabytes whole", () => {
    const bytes = Uint8Array.from({ length: 3_000_000 }, (_, i) => i * 31)
    const big: OnnxModel = {
      ...plain,
      initializers: [{ name: "big", dtype: "u8", shape: [bytes.length], data: { kind: "inline", bytes } }],
    }
    const found = proto.decode(encodeModel(big)) as unknown as { graph: { initializer: { raw_data: Uint8Array }[] } }
    expect(Buffer.compare(found.graph.initializer[0]!.raw_data, bytes)).toBe(0)
  })
})
