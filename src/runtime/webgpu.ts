/**
 * @module The `webgpu` backend: onnxruntime-node's `webgpu` provider on Bun and Node, onnxruntime-web's where
 * `navigator.gpu` is. It takes the standard lowering, whose operators this provider computes right in both directions.
 */
import type { InferenceSession, TensorConstructor } from "onnxruntime-common"
import { EspalierError, isEspalierError } from "../core/errors.ts"
import type { DType, Tensor } from "../core/tensor.ts"
import { onnxruntimeNode } from "./onnxruntime-node.ts"
import { type EngineSession, engineError, engineMessage, onDevice, ortSession, type RefusedWork, toOrt } from "./ort.ts"
import { createPageGpu } from "./page-gpu.ts"
import type { Backend, DeviceTensor, Runtime, Session } from "./runtime.ts"
import { type HeldWeights, SharedWeights } from "./shared-weights.ts"

/** All that is opened here shares the engine of onnxruntime-web, and the device that it took first. */
const pageGpu = createPageGpu()

/** Whether this is a page or worker with WebGPU of its own. */
async function hasNavigatorGpu(): Promise<boolean> {
  const gpu = (globalThis.navigator as { gpu?: { requestAdapter(): Promise<unknown> } } | undefined)?.gpu
  try {
    return gpu ? (await gpu.requestAdapter()) !== null : false
  } catch {
    return false
  }
}

/** Whether onnxruntime-node's provider finds an adapter: it is asked by making a session of one node. */
async function nativeAdapter(): Promise<{ ok: true } | { ok: false; reason: string }> {
  try {
    const ort = await onnxruntimeNode()
    const session = await ort.InferenceSession.create(identityModel(), {
      executionProviders: ["webgpu"],
      logSeverityLevel: 4,
    })
    await session.release()
    return { ok: true }
  } catch (error) {
    return { ok: false, reason: `no WebGPU adapter was found (${engineMessage(error)})` }
  }
}

export const webgpu: Backend = {
  name: "webgpu",
  async probe() {
    return (await hasNavigatorGpu()) ? { ok: true } : nativeAdapter()
  },
  async open({ engineUrl } = {}): Promise<Runtime> {
    const web = await hasNavigatorGpu()
    if (!web) {
      const found = await nativeAdapter()
      if (!found.ok)
        throw new EspalierError("unavailable", `Backend webgpu can't run here: ${found.reason}`, {
          hint: "Use --backend native or wasm",
        })
    }
    const ort = web ? await webEngine(engineUrl) : await onnxruntimeNode()
    const settings = { executionProviders: ["webgpu"], logSeverityLevel: 3 as const }
    const create: CreateSession = web
      ? (model, options) => pageGpu.createSession(ort, model, options)
      : (model, options) => ort.InferenceSession.create(model, options)
    const explain = async (what: RefusedWork, cause: unknown): Promise<EspalierError> => {
      if (isEspalierError(cause)) return cause
      return web ? pageGpu.explain(what, cause) : engineError(what, cause)
    }
    // What lays tensors into the GPU's memory, by their dtype: neither way hands out the device itself.
    const uploading = new Map<DType, Promise<EngineSession>>()
    const uploaderOf = (dtype: "f32" | "f16"): Promise<EngineSession> => {
      const known = uploading.get(dtype)
      if (known) return known
      const made = create(identityModel(dtype), { ...settings, preferredOutputLocation: "gpu-buffer" })
      uploading.set(dtype, made)
      // What could not be made is tried anew by the next tensor.
      made.catch(() => uploading.delete(dtype))
      return made
    }
    const upload = async (tensor: Tensor<"f32" | "f16">): Promise<DeviceTensor> => {
      try {
        const { y } = await (await uploaderOf(tensor.dtype)).run({ x: toOrt(ort.Tensor, "x", tensor) })
        return onDevice("y", y!)
      } catch (cause) {
        throw await explain("a tensor", cause)
      }
    }
    const sharedWeights = new SharedWeights(upload)
    let f16: Promise<boolean> | null = null
    return {
      name: "webgpu",
      detail: web ? "onnxruntime-web, WebGPU of this runtime" : "onnxruntime-node, WebGPU by Dawn",
      lowering: "standard",
      threads: 1,
      deterministic: false,
      takesF16() {
        f16 ??= computesF16(create, ort.Tensor)
        return f16
      },
      upload,
      sharesWeights: true,
      async createSession({ model, weights, shared, keep = [] }) {
        let held: HeldWeights | null = null
        try {
          if (weights && shared) held = await sharedWeights.hold(weights, shared)
          const session = await create(model, {
            ...settings,
            ...(keep.length > 0 && {
              preferredOutputLocation: Object.fromEntries(keep.map((name) => [name, "gpu-buffer" as const])),
            }),
            ...(weights && !held && { externalData: [{ path: weights.location, data: await weights.bytes() }] }),
          })
          const made = ortSession(session, {
            Tensor: ort.Tensor,
            writesInPlace: false,
            keep,
            explain,
            letGo: held?.release,
          })
          return held ? over(made, held) : made
        } catch (cause) {
          held?.release()
          throw await explain("a graph", cause)
        }
      },
      ...(web && { check: pageGpu.check }),
      async dispose() {
        const made = await Promise.allSettled(uploading.values())
        uploading.clear()
        for (const each of made) if (each.status === "fulfilled") await each.value.release()
      },
    }
  },
}

/**
 * A session that is fed the weights it holds. They are given back before it is: with its last session the engine gives its
 * device up, and a tensor that is given back after that reads what is no longer there.
 */
const over = (session: Session, { feeds }: HeldWeights): Session => ({
  ...session,
  run: (given, into, kept) => session.run({ ...feeds, ...given }, into, kept),
})

async function webEngine(engineUrl: string | undefined) {
  const ort = await import("onnxruntime-web/webgpu")
  // One thread: what is heavy runs on the GPU, and threads need a page of its own origin's making.
  ort.env.wasm.numThreads = 1
  if (engineUrl !== undefined) ort.env.wasm.wasmPaths = { wasm: `${engineUrl}ort-wasm-simd-threaded.asyncify.wasm` }
  return ort
}

/** Makes a session by one of both ways. */
type CreateSession = (model: Uint8Array, options: InferenceSession.SessionOptions) => Promise<EngineSession>

/** Whether the adapter has shader-f16: onnxruntime-node hands out no adapter, so both ways are asked for one number. */
async function computesF16(create: CreateSession, Tensor: TensorConstructor): Promise<boolean> {
  // What it says where the feature is lacking is the answer, and no news for a log.
  const settings = { logSeverityLevel: 4 } as const
  const session = await create(castModel(), { ...settings, executionProviders: ["webgpu"] })
  try {
    const x: Tensor<"f16"> = { dtype: "f16", shape: [], data: Uint16Array.of(ONE) }
    const { y } = await session.run({ x: toOrt(Tensor, "x", x) }, settings)
    return (y!.data as Float32Array)[0] === 1
  } catch {
    return false
  } finally {
    await session.release()
  }
}

/** 1 as f16. */
const ONE = 0x3c00

/** A ModelProto of one Cast node of a scalar from f16 to f32, opset 18. */
const castModel = (): Uint8Array =>
  bytesOfBase64(
    "CAoSCGVzcGFsaWVyOjgKGQoBeBIBeRoAIgRDYXN0KgkKAnRvGAGgAQISAVpaCwoBeBIGCgQIChIAYgsKAXkSBgoECAESAEIECgAQEg==",
  )

/** A ModelProto of one Identity node of any shape, opset 18. */
const identityModel = (dtype: "f32" | "f16" = "f32"): Uint8Array =>
  bytesOfBase64(
    dtype === "f32"
      ? "CAo6KwoQCgF4EgF5IghJZGVudGl0eRIBZ1oJCgF4EgQKAggBYgkKAXkSBAoCCAFCBAoAEBI="
      : "CAo6KwoQCgF4EgF5IghJZGVudGl0eRIBZ1oJCgF4EgQKAggKYgkKAXkSBAoCCApCBAoAEBI=",
  )

const bytesOfBase64 = (text: string): Uint8Array => Uint8Array.from(atob(text), (c) => c.charCodeAt(0))
