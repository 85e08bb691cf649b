/**
 * @module The `wasm` backend: onnxruntime-web on WebAssembly, with threads where the runtime has shared memory. Each
 * session holds its own copy of the weights, so callers make few of them. The first opening settles the thread count.
 */
import { freeNow } from "../core/bytes.ts"
import { EspalierError, messageOf } from "../core/errors.ts"
import { engineError, engineMessage, ortSession } from "./ort.ts"
import type { Backend, FrozenWeights, Runtime, RuntimeOptions } from "./runtime.ts"
import { splitNextEngine } from "./split-wasm.ts"
import { defaultThreads } from "./threads.ts"

const library = () => import("onnxruntime-web")

/** The thread count that the engine of this page or worker was first opened with. */
let threadsOfThisRealm: number | null = null

/**
 * Whether the engine can start threads. Node has no global `Worker`, but the engine finds its `node:worker_threads`;
 * workerd has shared memory and nothing to share it with.
 */
const canThread = (): boolean =>
  typeof SharedArrayBuffer !== "undefined" &&
  (typeof Worker !== "undefined" || (globalThis.navigator?.userAgent ?? "").startsWith("Node.js"))

export const wasm: Backend = {
  name: "wasm",
  async probe() {
    if (typeof WebAssembly === "undefined") return { ok: false, reason: "this runtime has no WebAssembly" }
    try {
      await library()
      return { ok: true }
    } catch (error) {
      return { ok: false, reason: `onnxruntime-web can't be loaded: ${engineMessage(error)}` }
    }
  },
  open: (options) => openWasm(options),
}

/**
 * Has the engine's code compiled, which takes longer than all else and a thread of its own, while the caller opens its
 * base. The engine has no call for that: asked for a session of nothing it starts, and then finds nothing. What keeps it
 * from starting is the first session's to report.
 */
function startEngine(ort: Awaited<ReturnType<typeof library>>): void {
  ort.InferenceSession.create(new Uint8Array(0), { executionProviders: ["wasm"] }).catch(() => {})
}

/**
 * Weights in the shape of an array of bytes. The engine asks it for its length and for one stretch after the other, and copies each at
 * once: the whole is never there.
 */
const asNeeded = ({ size, part }: FrozenWeights): Uint8Array =>
  Object.create(Uint8Array.prototype, {
    byteLength: { value: size },
    subarray: { value: (from: number, to: number) => part!(from, to - from) },
  }) as Uint8Array

async function openWasm({ threads, light = false, engineUrl }: RuntimeOptions = {}): Promise<Runtime> {
  const ort = await library().catch((cause: unknown) => {
    throw new EspalierError("unavailable", `Backend wasm can't run here: ${messageOf(cause)}`, { cause })
  })
  // WebAssembly starts once, with the first session: later settings of its threads would change nothing.
  const isFirst = threadsOfThisRealm === null
  threadsOfThisRealm ??= canThread() ? (threads ?? (light ? 1 : defaultThreads())) : 1
  const used = threadsOfThisRealm
  ort.env.wasm.numThreads = used
  ort.env.logLevel = "error"
  if (engineUrl !== undefined) ort.env.wasm.wasmPaths = { wasm: `${engineUrl}ort-wasm-simd-threaded.wasm` }
  // Every further thread has an instance of its own, made where there is no say in how.
  if (isFirst && used === 1) splitNextEngine()
  startEngine(ort)
  return {
    name: "wasm",
    detail: `onnxruntime-web ${ort.env.versions?.web ?? ort.env.versions?.common ?? ""}, WebAssembly, ${used} thread${used === 1 ? "" : "s"}`,
    lowering: "fused",
    threads: used,
    deterministic: true,
    async createSession({ model, weights, prepack = false }) {
      const blob = weights && !weights.part ? await weights.bytes() : null
      const data = blob ?? (weights && asNeeded(weights))
      try {
        const session = await ort.InferenceSession.create(model, {
          executionProviders: ["wasm"],
          // Graphs are lowered to the engine's largest operators. Its own passes over them find nothing that changes a result or its
          // time, and take time and memory themselves: a fifth of what a session is made in.
          graphOptimizationLevel: "disabled",
          ...(!prepack && { extra: { session: { disable_prepacking: "1" } } }),
          ...(data && { externalData: [{ path: weights!.location, data }] }),
        })
        return ortSession(session, { Tensor: ort.Tensor, writesInPlace: false })
      } catch (cause) {
        throw engineError("a graph", cause)
      } finally {
        // The engine has a copy of its own by now. Small blobs may be a part of a buffer that others use.
        if (blob && blob.byteLength === blob.buffer.byteLength) freeNow(blob)
        weights?.partsDone?.()
      }
    },
    async dispose() {},
  }
}
