/**
 * @module ONNX records to the bytes of a ModelProto. Field numbers are those of
 * https://github.com/onnx/onnx/blob/v1.18.0/onnx/onnx.proto3. Equal records give equal bytes.
 */
import type { DType } from "../../core/tensor.ts"
import { ProtoWriter } from "./protobuf.ts"
import type { OnnxAttribute, OnnxBranch, OnnxModel, OnnxNode, OnnxTensor, OnnxValueInfo } from "./schema.ts"

const IR_VERSION = 10

/** TensorProto.DataType. */
const dataTypes: Record<DType, number> = { f32: 1, u8: 2, i8: 3, i32: 6, i64: 7, bool: 9, f16: 10, bf16: 16 }
/** AttributeProto.AttributeType. */
const attributeTypes: Record<OnnxAttribute["kind"], number> = {
  float: 1,
  int: 2,
  string: 3,
  graph: 5,
  floats: 6,
  ints: 7,
}
/** TensorProto.DataLocation.EXTERNAL. */
const EXTERNAL = 1

/** A model's bytes. */
export function encodeModel(model: OnnxModel): Uint8Array {
  const w = new ProtoWriter()
  w.int(1, IR_VERSION)
  w.string(2, "espalier")
  w.message(7, (graph) => {
    for (const node of model.nodes) graph.message(1, (out) => writeNode(out, node))
    graph.string(2, model.name)
    for (const tensor of model.initializers) graph.message(5, (out) => writeTensor(out, tensor))
    for (const input of model.inputs) graph.message(11, (out) => writeValueInfo(out, input))
    for (const output of model.outputs) graph.message(12, (out) => writeValueInfo(out, output))
  })
  for (const [domain, version] of Object.entries(model.opsets)) {
    w.message(8, (opset) => {
      opset.string(1, domain)
      opset.int(2, version)
    })
  }
  return w.finish()
}

function writeNode(w: ProtoWriter, node: OnnxNode): void {
  for (const input of node.inputs) w.string(1, input)
  for (const output of node.outputs) w.string(2, output)
  w.string(3, node.name)
  w.string(4, node.opType)
  for (const [name, attribute] of Object.entries(node.attributes))
    w.message(5, (out) => writeAttribute(out, name, attribute))
  if (node.domain !== "") w.string(7, node.domain)
}

function writeAttribute(w: ProtoWriter, name: string, attribute: OnnxAttribute): void {
  w.string(1, name)
  switch (attribute.kind) {
    case "float":
      w.float(2, attribute.value)
      break
    case "int":
      w.int(3, attribute.value)
      break
    case "string":
      w.string(4, attribute.value)
      break
    case "graph":
      w.message(6, (out) => {
        for (const node of attribute.value.nodes) out.message(1, (each) => writeNode(each, node))
        out.string(2, attribute.value.name)
        for (const output of attribute.value.outputs) out.message(12, (each) => writeValueInfo(each, output))
      })
      break
    case "floats":
      for (const value of attribute.value) w.float(7, value)
      break
    case "ints":
      for (const value of attribute.value) w.int(8, value)
      break
    default:
      attribute satisfies never
  }
  w.int(20, attributeTypes[attribute.kind])
}

function writeTensor(w: ProtoWriter, { name, dtype, shape, data }: OnnxTensor): void {
  for (const dim of shape) w.int(1, dim)
  w.int(2, dataTypes[dtype])
  w.string(8, name)
  if (data.kind === "inline") {
    w.bytes(9, data.bytes)
    return
  }
  const entries = { location: data.location, offset: String(data.offset), length: String(data.length) }
  for (const [key, value] of Object.entries(entries)) {
    w.message(13, (entry) => {
      entry.string(1, key)
      entry.string(2, value)
    })
  }
  w.int(14, EXTERNAL)
}

function writeValueInfo(
  w: ProtoWriter,
  { name, dtype, shape }: Partial<OnnxValueInfo> & OnnxBranch["outputs"][0],
): void {
  w.string(1, name)
  w.message(2, (type) => {
    type.message(1, (tensorType) => {
      tensorType.int(1, dataTypes[dtype])
      if (!shape) return
      tensorType.message(2, (shapeProto) => {
        for (const dim of shape) {
          shapeProto.message(1, (dimension) => {
            if (typeof dim === "number") dimension.int(1, dim)
            else dimension.string(2, dim)
          })
        }
      })
    })
  })
}
