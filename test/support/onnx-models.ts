/**
 * @module Small ONNX models for tests of the backends, written without the graph builder, so that a fault there does not
 * hide one here.
 */
import { type DType, f32, i32, type Tensor } from "../../src/core/tensor.ts"
import type { OnnxAttribute, OnnxModel, OnnxNode } from "../../src/graph/onnx/schema.ts"
import { encodeModel } from "../../src/graph/onnx/write.ts"
import type { FrozenWeights } from "../../src/runtime/runtime.ts"

const info = (name: string, dtype: DType, shape: readonly (number | string)[]) => ({ name, dtype, shape })

const node = (
  opType: string,
  inputs: readonly string[],
  outputs: readonly string[],
  attributes: Readonly<Record<string, OnnxAttribute>> = {},
  domain = "",
): OnnxNode => ({ name: outputs[0]!, opType, domain, inputs, outputs, attributes })

const int = (value: number): OnnxAttribute => ({ kind: "int", value })

const encode = (parts: Pick<OnnxModel, "inputs" | "outputs" | "nodes"> & Partial<OnnxModel>): Uint8Array =>
  encodeModel({ name: "test", opsets: { "": 18, "com.microsoft": 1 }, initializers: [], ...parts })

const PAGE = 4096
const blob = new Uint8Array(2 * PAGE)
new Float32Array(blob.buffer, PAGE, 6).set([1, 2, 3, 4, 5, 6])

/** W of {@link linearModel}, [3, 2] of 1 to 6, on the second page of a blob in memory. */
export const linearWeights: FrozenWeights = {
  hash: "5ca1ab1e".repeat(8),
  location: "weights.bin",
  size: blob.length,
  path: null,
  bytes: async () => blob.slice(),
}

/** The same, without its last bytes. */
export const truncatedWeights: FrozenWeights = {
  ...linearWeights,
  hash: "deadbea7".repeat(8),
  size: PAGE + 4,
  bytes: async () => blob.slice(0, PAGE + 4),
}

/** y [B, 2] = x [B, 3] W, with W in the second page of `weights.bin`. */
export const linearModel = encode({
  inputs: [info("x", "f32", ["B", 3])],
  outputs: [info("y", "f32", ["B", 2])],
  initializers: [
    {
      name: "W",
      dtype: "f32",
      shape: [3, 2],
      data: { kind: "external", location: "weights.bin", offset: PAGE, length: 24 },
    },
  ],
  nodes: [node("Gemm", ["x", "W"], ["y"])],
})

/** y = 2 x, of any shape [A, B]. */
export const scaleModel = encode({
  inputs: [info("x", "f32", ["A", "B"])],
  outputs: [info("y", "f32", ["A", "B"])],
  initializers: [
    {
      name: "two",
      dtype: "f32",
      shape: [],
      data: { kind: "inline", bytes: new Uint8Array(Float32Array.of(2).buffer) },
    },
  ],
  nodes: [node("Mul", ["x", "two"], ["y"])],
})

/** y = x, [N]. */
export const identityModel = (dtype: DType): Uint8Array =>
  encode({
    inputs: [info("x", dtype, ["N"])],
    outputs: [info("y", dtype, ["N"])],
    nodes: [node("Identity", ["x"], ["y"])],
  })

/** Numbers between -1 and 1 that look random and are the same each time. */
const wave = (shape: readonly number[], step: number): Tensor<"f32"> => {
  const size = shape.reduce((a, b) => a * b, 1)
  return f32(
    shape,
    Float32Array.from({ length: size }, (_, i) => Math.sin(step * i + 0.3)),
  )
}

const ROWS = 384
/** A product, a softmax and sums that are large enough to be shared among threads. */
export const mixedModel = {
  model: encode({
    inputs: [info("a", "f32", ["N", "N"]), info("b", "f32", ["N", "N"])],
    outputs: [info("p", "f32", ["N", "N"]), info("columns", "f32", ["N"]), info("sum", "f32", [])],
    initializers: [
      {
        name: "zero",
        dtype: "i64",
        shape: [1],
        data: { kind: "inline", bytes: new Uint8Array(BigInt64Array.of(0n).buffer) },
      },
    ],
    nodes: [
      node("Gemm", ["a", "b"], ["c"], { transB: int(1) }),
      node("Softmax", ["c"], ["p"], { axis: int(-1) }),
      node("ReduceSum", ["c", "zero"], ["columns"], { keepdims: int(0) }),
      node("ReduceSum", ["c"], ["sum"], { keepdims: int(0) }),
    ],
  }),
  feeds: () => ({ a: wave([ROWS, ROWS], 0.37), b: wave([ROWS, ROWS], 0.11) }),
} as const

const [HEADS, KV_HEADS, WIDTH, CAPACITY, PAST] = [2, 1, 8, 6, 3]
/** One token through GroupQueryAttention, with a cache of 6 places of which 3 are taken. */
export const attentionModel = {
  model: encode({
    inputs: [
      info("q", "f32", [1, 1, HEADS * WIDTH]),
      info("k", "f32", [1, 1, KV_HEADS * WIDTH]),
      info("v", "f32", [1, 1, KV_HEADS * WIDTH]),
      info("pastKey", "f32", [1, KV_HEADS, "P", WIDTH]),
      info("pastValue", "f32", [1, KV_HEADS, "P", WIDTH]),
      info("lengths", "i32", [1]),
      info("total", "i32", []),
    ],
    outputs: [
      info("y", "f32", [1, 1, HEADS * WIDTH]),
      info("presentKey", "f32", [1, KV_HEADS, "P", WIDTH]),
      info("presentValue", "f32", [1, KV_HEADS, "P", WIDTH]),
    ],
    nodes: [
      node(
        "GroupQueryAttention",
        ["q", "k", "v", "pastKey", "pastValue", "lengths", "total"],
        ["y", "presentKey", "presentValue"],
        { num_heads: int(HEADS), kv_num_heads: int(KV_HEADS) },
        "com.microsoft",
      ),
    ],
  }),
  feeds: () => ({
    q: wave([1, 1, HEADS * WIDTH], 0.7),
    k: wave([1, 1, KV_HEADS * WIDTH], 1.3),
    v: wave([1, 1, KV_HEADS * WIDTH], 2.1),
    pastKey: cache(0.9),
    pastValue: cache(1.7),
    lengths: i32([1], [PAST]),
    total: i32([], [PAST + 1]),
  }),
} as const

function cache(step: number): Tensor<"f32"> {
  const tensor = wave([1, KV_HEADS, CAPACITY, WIDTH], step)
  tensor.data.fill(0, PAST * WIDTH)
  return tensor
}
