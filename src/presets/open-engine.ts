/**
 * @module The engine of a full installation: in this thread, or in a Worker so that HTTP never waits for a step.
 */

import { decodeUtf8 } from "../core/bytes.ts"
import { EspalierError } from "../core/errors.ts"
import type { Quantization } from "../models/quantization.ts"
import type { BackendName } from "../runtime/runtime.ts"
import { createEngine } from "../serve/engine.ts"
import type { EngineApi } from "../serve/engine-api.ts"
import { graphDecoder } from "../serve/graph-decoder.ts"
import type { LaidAdapter } from "../serve/laid-adapter.ts"
import type { Folder } from "../store/folder.ts"
import { startEngineThread } from "./engine-thread.ts"
import { openBase } from "./open-base.ts"
import { openRuntime } from "./open-runtime.ts"
import { checkPromoted, type PromotionFacts } from "./promotion.ts"
import { readServedAdapter } from "./read-adapter.ts"
import { type AdapterReader, readingThread, readsApart } from "./reading-thread.ts"
import { checkContext } from "./served-context.ts"
import { isSmallBase } from "./small-base.ts"

/** What an engine is opened with: plain values, as they cross to a Worker. */
export interface EngineSettings {
  /** The base's folder. */
  readonly base: string
  readonly backend: BackendName | "auto"
  /** @default the backend's */
  readonly threads?: number
  /** Answers come one at a time: a small base then gets by with one thread of WebAssembly, which starts sooner. @default {false} */
  readonly oneStream?: boolean
  /** Positions of a sequence at most. @default the base's, at most 8192 */
  readonly contextLength?: number
  /** Hold the base's weights in fewer bits. @default as f32 */
  readonly quantize?: Quantization
  /** Bytes of computed prompts that are kept for those that begin alike. @default {67108864} */
  readonly prefixCacheBytes?: number
  /** Adapters that are in memory at most; those that were read from folders give way to others, and come back. @default {256} */
  readonly maxAdapters?: number
  /** Serve what a run held back, too. @default {false} */
  readonly force?: boolean
}

/**
 * Opens an engine in this thread.
 * @param readLaid reads adapters elsewhere that come back to memory. @default they are read here
 */
export async function openEngine(
  settings: EngineSettings,
  readLaid?: (path: string) => Promise<LaidAdapter>,
): Promise<EngineApi> {
  const {
    base: path,
    backend,
    threads,
    contextLength,
    prefixCacheBytes,
    maxAdapters,
    quantize,
    oneStream = false,
    force = false,
  } = settings
  const light = oneStream && (await isSmallBase(path))
  const { runtime } = await openRuntime(backend, { light, ...(threads !== undefined && { threads }) })
  const open = await openBase(path, quantize ? { quantize } : {})
  if (!open.tokenizer)
    throw new EspalierError("unsupported", `Base "${open.base.name}" has no tokenizer.json, so it can't be served`)
  if (contextLength !== undefined) checkContext(contextLength, open.base, open.tokenizer)
  if (!force) checkPromoted(await factsIn(open.folder), "The base")
  const decoder = await graphDecoder({
    runtime,
    base: open.base,
    ...(contextLength !== undefined && { contextLength }),
    ...(prefixCacheBytes !== undefined && { prefixCacheBytes }),
  })
  const engine = createEngine({
    base: open.base.name,
    baseHash: open.base.hash,
    backend: `${runtime.name} (${runtime.detail}${quantize ? `, ${quantize} weights` : ""})`,
    decoder,
    tokenizer: open.tokenizer,
    eosIds: open.eosIds,
    ...(maxAdapters !== undefined && { maxAdapters }),
    readAdapter: (place) => readServedAdapter(open, place, force),
    ...(readLaid && { readLaid }),
    ...(runtime.check && { check: runtime.check }),
  })
  return {
    ...engine,
    async close() {
      await engine.close()
      await runtime.dispose()
    },
  }
}

/** espalier.json of a base that was fine-tuned in full; null for any other. What can't be read says nothing. */
async function factsIn(folder: Folder): Promise<PromotionFacts> {
  if (!(await folder.list()).includes("espalier.json")) return null
  try {
    return JSON.parse(decodeUtf8(await folder.read("espalier.json"))) as PromotionFacts
  } catch {
    return null
  }
}

/** Opens an engine in a Worker, for which adapters are read in another. */
export async function openEngineWorker(settings: EngineSettings): Promise<EngineApi> {
  let resolve = (_reader: AdapterReader): void => {}
  const reader = new Promise<AdapterReader>((found) => {
    resolve = found
  })
  const engine = await startEngineThread(
    new URL("../entry/engine-worker.ts", import.meta.url),
    settings,
    // What it reads for is known once the engine is there.
    async (path) => (await reader).read(path),
  )
  const { base, force = false } = settings
  const { baseHash, contextLength } = engine.info
  const apart = readingThread(new URL("../entry/reading-worker.ts", import.meta.url), {
    ...{ base, baseHash, contextLength, force },
  })
  resolve(apart)
  return readsApart(engine, apart)
}
