/**
 * @module The GPU of a page, a Worker or a Deno process, as onnxruntime-web has it: one device and one engine for all sessions.
 */
import { EspalierError } from "../core/errors.ts"
import { createExclusive } from "../core/exclusive.ts"
import { type EngineSession, engineError, type RefusedWork } from "./ort.ts"

/** What is asked of onnxruntime-web. */
export interface WebEngine {
  readonly InferenceSession: { create(model: Uint8Array, options: object): Promise<EngineSession> }
  readonly env: { readonly webgpu: { readonly device: Promise<unknown> } }
}

/** A GPUDevice, as far as it is watched here. */
export interface WatchedDevice {
  readonly lost: Promise<{ readonly reason?: string; readonly message: string }>
}

/** The GPU of this realm. */
export interface PageGpu {
  /** Makes a session whose calls wait for their turns. */
  createSession(ort: WebEngine, model: Uint8Array, options: object): Promise<EngineSession>
  /** @throws {EspalierError} `unavailable` if the device was lost: the engine of this realm makes no other. */
  check(): void
  /** What became of work that failed: the engine's own words, or that the device is gone, which hides behind many. */
  explain(what: RefusedWork, cause: unknown): Promise<EspalierError>
}

/** Milliseconds in which a device that is lost says so, when something has failed. */
const NEWS_MS = 200

/**
 * Watches a GPU, and lets nobody interrupt it. The engine waits for the GPU with its stack put aside: a second call that comes
 * meanwhile overwrites that, and both end in "memory access out of bounds", whatever sessions they are of.
 */
export function createPageGpu(): PageGpu {
  const turns = createExclusive()
  /** Sessions that are held. With the last of them the engine gives its device up, which then says that it is lost. */
  let held = 0
  let current: { readonly device: WatchedDevice; reason: string | null; readonly loss: Promise<unknown> } | null = null
  const watch = async (ort: WebEngine): Promise<void> => {
    const device = (await ort.env.webgpu.device) as WatchedDevice
    if (current?.device === device) return
    const loss = device.lost.then(({ message, reason }) => {
      watched.reason = message || reason || "no reason was given"
    })
    const watched = { device, loss, reason: null as string | null }
    current = watched
  }
  const lost = (): EspalierError | null =>
    current === null || current.reason === null
      ? null
      : new EspalierError("unavailable", `The GPU was lost: ${current.reason}`, {
          hint: "Open the base again in a new process, page or Worker, or take another backend",
        })
  return {
    async createSession(ort, model, options) {
      const session = await turns.run(() => ort.InferenceSession.create(model, options))
      held++
      await watch(ort)
      const run = (...given: Parameters<EngineSession["run"]>) => turns.run(() => session.run(...given))
      return {
        inputNames: session.inputNames,
        outputNames: session.outputNames,
        run: run as EngineSession["run"],
        async release() {
          if (--held === 0 && current?.reason === null) current = null
          await turns.run(() => session.release())
        },
      }
    },
    check() {
      const error = lost()
      if (error) throw error
    },
    async explain(what, cause) {
      await Promise.race([current?.loss, new Promise((resolve) => setTimeout(resolve, NEWS_MS))])
      return lost() ?? engineError(what, cause)
    },
  }
}
