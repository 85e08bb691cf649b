/**
 * @module Models that jobs made, loaded when they are first asked for: any number lies on disk. From then on the engine has them, which
 * lets those go that were asked longest ago and reads them again.
 */
import { isEspalierError, rephrased } from "../core/errors.ts"
import { createOneFlight } from "../core/one-flight.ts"
import type { AdapterShelf, ShelvedModel } from "../jobs/adapter-shelf.ts"
import { expressionParts } from "../merge/expression.ts"
import type { EngineApi } from "../serve/engine-api.ts"
import { isLoaded, unloadIfThere } from "./loaded.ts"

/** Loads models on demand. */
export interface ShelfLoader {
  /** Whether any of `asked` lies on the shelf. @param asked a model's name, or a merge of several */
  knows(asked: string): boolean
  /**
   * Loads what of `asked` lies on the shelf and isn't loaded: once, however many ask.
   * @throws {EspalierError} What keeps a model from being loaded.
   */
  load(asked: string): Promise<void>
}

/** A loader over a shelf. */
export function createShelfLoader(engine: EngineApi, shelf: AdapterShelf): ShelfLoader {
  const loading = createOneFlight<void>()
  const modelsOf = (asked: string): ShelvedModel[] => expressionParts(asked).flatMap((part) => shelf.find(part) ?? [])

  async function loadOne({ name, path }: ShelvedModel): Promise<void> {
    if (await isLoaded(engine, name)) return
    try {
      await engine.load(name, { path })
    } catch (error) {
      // Its job may have been faster.
      if (!(await isLoaded(engine, name))) throw withoutPath(error, path, name)
    }
    // It was deleted meanwhile.
    if (!shelf.find(name)) await unloadIfThere(engine, name)
  }

  return {
    knows: (asked) => modelsOf(asked).length > 0,
    async load(asked) {
      await Promise.all(modelsOf(asked).map((model) => loading(model.name, () => loadOne(model))))
    },
  }
}

/** The same error without where the model lies. */
function withoutPath(error: unknown, path: string, name: string): unknown {
  if (!isEspalierError(error)) return error
  const clean = (text: string): string => text.replaceAll(path, name)
  return rephrased(error, { message: clean(error.message), hint: error.hint && clean(error.hint), param: "model" })
}
