/**
 * @module An engine in a thread of its own: both ends of it. `node:worker_threads` is the one kind of Worker that Bun,
 * Deno and Node share.
 */
import { parentPort, Worker } from "node:worker_threads"
import { disableEngineTelemetry } from "../runtime/telemetry.ts"
import { endpointOf } from "../serve/endpoint.ts"
import type { EngineApi } from "../serve/engine-api.ts"
import { engineClient } from "../serve/engine-client.ts"
import { engineHost, type MakeEngine } from "../serve/engine-host.ts"
import type { LaidAdapter } from "../serve/laid-adapter.ts"

/**
 * Starts a Worker and the engine in it. Closing the engine ends the Worker.
 * @param worker the module that calls {@link hostEngine}
 * @param settings structured-cloneable; what the host's `makeEngine` gets
 * @param read reads adapters for it, in whatever thread
 * @throws {EspalierError} What `makeEngine` threw, or `unavailable` if the Worker died.
 */
export async function startEngineThread(
  worker: URL,
  settings: unknown,
  read?: (path: string) => Promise<LaidAdapter>,
): Promise<EngineApi> {
  // Here, because a Worker of Node or Deno can't: what it sets doesn't reach native code.
  await disableEngineTelemetry()
  const thread = new Worker(worker)
  try {
    const engine = await engineClient(endpointOf(thread), settings, read)
    return {
      ...engine,
      async close() {
        await engine.close()
        await thread.terminate()
      },
    }
  } catch (error) {
    await thread.terminate()
    throw error
  }
}

/**
 * Serves an engine to the thread that started this one.
 * @throws {Error} Outside a Worker.
 */
export function hostEngine(makeEngine: MakeEngine): void {
  if (parentPort === null) throw new Error("An engine is hosted in a Worker, and this is none")
  engineHost(endpointOf(parentPort), makeEngine)
}
