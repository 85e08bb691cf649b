/**
 * @module Engines' messages for people: these were seen from onnxruntime 1.30. And what happens to outputs.
 */
import { describe, expect, test } from "bun:test"
import { type InferenceSession, Tensor } from "onnxruntime-common"
import { f32 } from "../../../src/core/tensor.ts"
import { engineError, engineMessage, ortSession } from "../../../src/runtime/ort.ts"

const messages: readonly [string, string, string][] = [
  [
    "keeps every line of a misshapen input",
    "Got invalid dimensions for input: x for the following indices\n index: 0 Got: 3 Expected: 2\n Please fix either the inputs/outputs or the model.",
    "Got invalid dimensions for input: x for the following indices index: 0 Got: 3 Expected: 2 Please fix either the inputs/outputs or the model.",
  ],
  [
    "drops the web build's wrapping",
    "failed to call OrtRun(). ERROR_CODE: 2, ERROR_MESSAGE: Unexpected input data type. Actual: (tensor(int32)) , expected: (tensor(float))",
    "Unexpected input data type. Actual: (tensor(int32)) , expected: (tensor(float))",
  ],
  [
    "drops the place in the engine's source",
    "Exception during initialization: /onnxruntime_src/onnxruntime/core/optimizer/initializer.cc:51 onnxruntime::Initializer::Initializer(const onnx::TensorProto&, const std::filesystem::__cxx11::path&) [ONNXRuntimeError] : 1 : FAIL : tensorprotoutils.cc:1763 GetExtDataFromTensorProto External initializer: w are out of bounds",
    "Exception during initialization: GetExtDataFromTensorProto External initializer: w are out of bounds",
  ],
  [
    "drops the condition that did not hold",
    "/onnxruntime_src/onnxruntime/core/providers/webgpu/webgpu_context.cc:136 onnxruntime::webgpu::WebGpuContext::Initialize(const onnxruntime::webgpu::WebGpuContextConfig&)::<lambda()> adapter_result.status == wgpu::RequestAdapterStatus::Success was false. Failed to get a WebGPU adapter: No supported adapters\n",
    "Failed to get a WebGPU adapter: No supported adapters",
  ],
  [
    "drops a stack",
    "Cannot find module 'onnxruntime-node'\n    at resolve (file.js:1:2)\n    at load (file.js:3:4)",
    "Cannot find module 'onnxruntime-node'",
  ],
]

describe("engineMessage()", () => {
  for (const [name, message, expected] of messages) {
    test(name, () => expect(engineMessage(new Error(message))).toBe(expected))
  }

  test("takes anything that was thrown, and cuts what has no end", () => {
    expect(engineMessage("plain")).toBe("plain")
    expect(engineMessage(new Error("x".repeat(5000)))).toHaveLength(300)
  })
})

describe("engineError()", () => {
  const scarce = [
    "Can't create a session. ERROR_CODE: 6, ERROR_MESSAGE: std::bad_alloc",
    "failed to allocate a buffer of size 5368709120.",
    "Array buffer allocation failed",
    "WebAssembly.Memory.grow(): Maximum memory size exceeded",
    "Non-zero status code returned while running Gemm node. Failed to allocate memory for requested buffer of size 12",
    "Out of memory",
  ]
  for (const message of scarce)
    test(`takes this for want of memory: ${message}`, () =>
      expect(engineError("the run", new Error(message))).toMatchObject({
        code: "unavailable",
        message: expect.stringMatching(/^The engine has no memory left for the run: /),
        hint: expect.stringContaining("espalier plan"),
      }))

  test("takes all else for a fault of ours", () =>
    expect(engineError("a graph", "memory access out of bounds")).toMatchObject({
      code: "internal",
      message: "The engine refused a graph: memory access out of bounds",
    }))
})

describe("ortSession()", () => {
  /** A session of one output that answers with this data, whatever it is asked. */
  const answering = (data: Float32Array) =>
    ortSession(
      {
        inputNames: [],
        outputNames: ["y"],
        run: async () => ({ y: new Tensor("float32", data, [data.length]) }),
      } as unknown as InferenceSession,
      { Tensor, writesInPlace: true },
    )

  test("gives back at once the copy that an engine makes of what it wrote in place", async () => {
    const copy = new Float32Array([1, 2])
    const target = f32([2], [1, 2])
    const { y } = await answering(copy).run({}, { y: target })
    expect(y).toBe(target)
    expect([...target.data]).toEqual([1, 2])
    expect(copy.buffer.byteLength).toBe(0)
  })

  test("keeps the memory that was written into where the engine answers with that", async () => {
    const target = f32([2], [1, 2])
    const { y } = await answering(target.data).run({}, { y: target })
    expect([...(y!.data as Float32Array)]).toEqual([1, 2])
  })

  test("keeps an output that was to be written nowhere", async () => {
    const { y } = await answering(new Float32Array([3])).run({})
    expect([...(y!.data as Float32Array)]).toEqual([3])
  })
})
