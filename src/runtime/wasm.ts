/**
 * @module The `wasm` backend: onnxruntime-web on WebAssembly, with threads where the runtime has shared memory. Each
 * session holds its own copy of the weights, so callers make few of them.
 */
import { EspalierError, messageOf } from "../core/errors.ts"
import { firstLine, ortSession } from "./ort.ts"
import type { Backend, Runtime, RuntimeOptions } from "./runtime.ts"
import { defaultThreads } from "./threads.ts"

const library = () => import("onnxruntime-web")

export const wasm: Backend = {
  name: "wasm",
  async probe() {
    if (typeof WebAssembly === "undefined") return { ok: false, reason: "this runtime has no WebAssembly" }
    try {
      await library()
      return { ok: true }
    } catch (error) {
      return { ok: false, reason: `onnxruntime-web can't be loaded: ${firstLine(error)}` }
    }
  },
  open: (options) => openWasm(options),
}

async function openWasm({ threads = defaultThreads() }: RuntimeOptions = {}): Promise<Runtime> {
  const ort = await library().catch((cause: unknown) => {
    throw new EspalierError("unavailable", `Backend wasm can't run here: ${messageOf(cause)}`, { cause })
  })
  const shared = typeof SharedArrayBuffer !== "undefined" && typeof Worker !== "undefined"
  const used = shared ? threads : 1
  ort.env.wasm.numThreads = used
  ort.env.logLevel = "error"
  return {
    name: "wasm",
    detail: `onnxruntime-web ${ort.env.versions?.web ?? ort.env.versions?.common ?? ""}, WebAssembly, ${used} thread${used === 1 ? "" : "s"}`,
    lowering: "fused",
    threads: used,
    deterministic: true,
    async createSession({ model, weights }) {
      try {
        const session = await ort.InferenceSession.create(model, {
          executionProviders: ["wasm"],
          ...(weights && { externalData: [{ path: weights.location, data: await weights.bytes() }] }),
        })
        return ortSession(session, { Tensor: ort.Tensor, writesInPlace: false })
      } catch (cause) {
        throw new EspalierError("internal", `The engine refused a graph: ${firstLine(cause)}`, { cause })
      }
    },
    async dispose() {},
  }
}
