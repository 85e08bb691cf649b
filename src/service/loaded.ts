/**
 * @module Whether an adapter is in memory, and away with it where it is.
 */
import { isEspalierError } from "../core/errors.ts"
import type { EngineApi } from "../serve/engine-api.ts"

/** Whether an adapter of this name is loaded. */
export const isLoaded = async (engine: EngineApi, name: string): Promise<boolean> =>
  (await engine.list()).some((adapter) => adapter.name === name)

/** Unloads an adapter; that there is none is fine. */
export async function unloadIfThere(engine: EngineApi, name: string): Promise<void> {
  try {
    await engine.unload(name)
  } catch (error) {
    if (!isEspalierError(error, "not_found")) throw error
  }
}
