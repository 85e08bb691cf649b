/**
 * @module Models that jobs made, loaded when they are asked for: any number lies on disk, and those that were asked longest
 * ago make room in memory. Answers in flight keep what they began with.
 */
import { isEspalierError, rephrased } from "../core/errors.ts"
import { createExclusive } from "../core/exclusive.ts"
import type { AdapterShelf, ShelvedModel } from "../jobs/adapter-shelf.ts"
import { expressionParts } from "../merge/expression.ts"
import type { EngineApi } from "../serve/engine-api.ts"
import { isLoaded, unloadIfThere } from "./loaded.ts"

/** Loads models on demand. */
export interface ShelfLoader {
  /** Notes that models were asked for. @param asked a model's name, or a merge of several */
  touch(asked: string): void
  /** Whether any of `asked` lies on the shelf. */
  knows(asked: string): boolean
  /**
   * Loads what of `asked` lies on the shelf and not in memory, then calls; none of it gives way to others in between.
   * @throws {EspalierError} What keeps a model from being loaded, and what `call` throws.
   */
  withLoaded<T>(asked: string, call: () => Promise<T>): Promise<T>
}

/** Models that give way to one that is wanted, at most. */
const MOST_EVICTED = 3

/** A loader over a shelf. */
export function createShelfLoader(engine: EngineApi, shelf: AdapterShelf): ShelfLoader {
  /** Models in the order of their last use, the longest ago first. */
  const used = new Set<string>()
  /** One at a time, so that none takes away what another has just loaded. */
  const turns = createExclusive()
  const modelsOf = (asked: string): ShelvedModel[] => expressionParts(asked).flatMap((part) => shelf.find(part) ?? [])

  /** Takes the model away that was asked longest ago. @returns whether there was one */
  async function evict(wanted: readonly ShelvedModel[]): Promise<boolean> {
    const candidates = (await engine.list())
      .map(({ name }) => name)
      .filter((name) => shelf.find(name) && !wanted.some((model) => model.name === name))
    const order = [...used]
    const [oldest] = candidates.toSorted((a, b) => order.indexOf(a) - order.indexOf(b))
    if (oldest === undefined) return false
    used.delete(oldest)
    await unloadIfThere(engine, oldest)
    return true
  }

  async function loadOne({ name, path }: ShelvedModel, wanted: readonly ShelvedModel[]): Promise<void> {
    for (let evicted = 0; ; evicted++) {
      try {
        await engine.load(name, { path })
        break
      } catch (error) {
        // Another request was faster.
        if (await isLoaded(engine, name)) break
        const isFull = isEspalierError(error, "conflict") && evicted < MOST_EVICTED && (await evict(wanted))
        if (!isFull) throw withoutPath(error, path, name)
      }
    }
    // It was deleted meanwhile.
    if (!shelf.find(name)) await unloadIfThere(engine, name)
  }

  return {
    touch(asked) {
      for (const { name } of modelsOf(asked)) {
        used.delete(name)
        used.add(name)
      }
    },
    knows: (asked) => modelsOf(asked).length > 0,
    withLoaded: (asked, call) =>
      turns.run(async () => {
        const wanted = modelsOf(asked)
        for (const model of wanted) if (!(await isLoaded(engine, model.name))) await loadOne(model, wanted)
        return call()
      }),
  }
}

/** The same error without where the model lies. */
function withoutPath(error: unknown, path: string, name: string): unknown {
  if (!isEspalierError(error)) return error
  const clean = (text: string): string => text.replaceAll(path, name)
  return rephrased(error, { message: clean(error.message), hint: error.hint && clean(error.hint), param: "model" })
}
