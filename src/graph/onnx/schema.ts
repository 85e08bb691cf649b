/**
 * @module The part of ONNX that we write, as plain records: the dozen messages of onnx.proto3
 * (https://github.com/onnx/onnx/blob/v1.18.0/onnx/onnx.proto3). `write.ts` turns them into bytes.
 */
import type { DType } from "../../core/tensor.ts"

/** A value of a node's attribute; `ints` and `floats` may be empty. */
export type OnnxAttribute =
  | { readonly kind: "int"; readonly value: number }
  | { readonly kind: "float"; readonly value: number }
  | { readonly kind: "string"; readonly value: string }
  | { readonly kind: "ints"; readonly value: readonly number[] }
  | { readonly kind: "floats"; readonly value: readonly number[] }
  | { readonly kind: "graph"; readonly value: OnnxBranch }

/** One NodeProto. An omitted optional input is the empty string. */
export interface OnnxNode {
  readonly name: string
  readonly opType: string
  /** `""` for the standard set, `com.microsoft` for ONNX Runtime's. */
  readonly domain: string
  readonly inputs: readonly string[]
  readonly outputs: readonly string[]
  readonly attributes: Readonly<Record<string, OnnxAttribute>>
}

/** A GraphProto without inputs, such as a branch of `If`: it reads the names of the graph around it. */
export interface OnnxBranch {
  readonly name: string
  /** Without shapes, which the engine finds itself. */
  readonly outputs: readonly Omit<OnnxValueInfo, "shape">[]
  readonly nodes: readonly OnnxNode[]
}

/** Every name that a node reads, its branches' included. */
export const namesRead = ({ inputs, attributes }: OnnxNode): string[] => [
  ...inputs,
  ...Object.values(attributes).flatMap((each) =>
    each.kind === "graph"
      ? [...each.value.nodes.flatMap(namesRead), ...each.value.outputs.map(({ name }) => name)]
      : [],
  ),
]

/** A node with every name that it reads or writes mapped, its branches' included. */
export function withNames(node: OnnxNode, rename: (name: string) => string): OnnxNode {
  const attributes = Object.entries(node.attributes).map(([key, each]): [string, OnnxAttribute] => {
    if (each.kind !== "graph") return [key, each]
    const nodes = each.value.nodes.map((inner) => withNames(inner, rename))
    const outputs = each.value.outputs.map((output) => ({ ...output, name: rename(output.name) }))
    return [key, { kind: "graph", value: { ...each.value, nodes, outputs } }]
  })
  return {
    ...node,
    inputs: node.inputs.map(rename),
    outputs: node.outputs.map(rename),
    attributes: Object.fromEntries(attributes),
  }
}

/** A ValueInfoProto: a number is a fixed size (dim_value), a text a symbolic one (dim_param). */
export interface OnnxValueInfo {
  readonly name: string
  readonly dtype: DType
  readonly shape: readonly (number | string)[]
}

/** A TensorProto: its bytes inline (raw_data) or in an external file. */
export interface OnnxTensor {
  readonly name: string
  readonly dtype: DType
  readonly shape: readonly number[]
  readonly data:
    | { readonly kind: "inline"; readonly bytes: Uint8Array }
    | { readonly kind: "external"; readonly location: string; readonly offset: number; readonly length: number }
}

/** A ModelProto with its one graph. */
export interface OnnxModel {
  readonly name: string
  /** Opset versions by domain, such as `{ "": 18, "com.microsoft": 1 }`. */
  readonly opsets: Readonly<Record<string, number>>
  readonly inputs: readonly OnnxValueInfo[]
  readonly outputs: readonly OnnxValueInfo[]
  readonly initializers: readonly OnnxTensor[]
  readonly nodes: readonly OnnxNode[]
}
