/**
 * @module Adapters in a bucket: `<prefix><name>/adapter_config.json` and what else PEFT's layout has. An engine loads one
 * when it is first asked for, and anew when it has changed there.
 */
import { EspalierError, isEspalierError } from "../core/errors.ts"
import { createExclusive } from "../core/exclusive.ts"
import { expressionParts } from "../merge/expression.ts"
import type { EngineApi } from "../serve/engine-api.ts"
import { checkName } from "../service/adapters.ts"
import { ADAPTER_CONFIG } from "../store/adapter-folder.ts"
import { type Bucket, writeBucketFolder } from "../store/bucket-folder.ts"

/** How an engine follows a bucket. */
export interface BucketAdaptersOptions {
  readonly bucket: Bucket
  /** Ends in a slash. */
  readonly prefix: string
  /** For how long the bucket isn't asked again whether an adapter is still the same, in milliseconds. @default {2000} */
  readonly trustMs?: number
  /** Milliseconds since 1970. @default {Date.now} */
  readonly now?: () => number
}

/** An engine that knows a bucket's adapters. */
export interface BucketEngine extends EngineApi {
  /** Puts an adapter's files into the bucket; the next request for it gets this one. */
  publish(name: string, files: ReadonlyMap<string, Uint8Array>): Promise<void>
}

/** Where an adapter lies, as a prefix of keys. */
export const adapterPrefix = (prefix: string, name: string): string => `${prefix}${name}/`

/**
 * The engine, with the bucket's adapters behind it. Its own `load` by path takes the name of a folder of the bucket.
 * @param engine one whose `readAdapter` reads `adapterPrefix(prefix, path)` of the same bucket
 */
export function bucketEngine(engine: EngineApi, options: BucketAdaptersOptions): BucketEngine {
  const { bucket, prefix, trustMs = 2000, now = Date.now } = options
  /** Of what came from the bucket: its version there, and when that was last looked at. */
  const known = new Map<string, { readonly etag: string; readonly seenAt: number }>()
  /** One at a time, so that two requests for a new adapter load it once. */
  const turns = createExclusive()
  const isName = (name: string): boolean => {
    try {
      checkName(name, engine.info.base)
      return true
    } catch {
      return false
    }
  }

  /** Loads what isn't loaded, or not in this version. What the bucket doesn't have is left to the engine to refuse. */
  const follow = async (name: string): Promise<void> => {
    const seen = known.get(name)
    if (seen && now() - seen.seenAt < trustMs) return
    if (!isName(name)) return
    // Its configuration is written last: what it says, the rest of the folder already is.
    const entry = await bucket.head(adapterPrefix(prefix, name) + ADAPTER_CONFIG)
    if (!entry) {
      if (seen) await engine.unload(name).catch(unlessMissing)
      known.delete(name)
      return
    }
    const version = `${entry.etag} ${await weightsVersion(name)}`
    if (seen?.etag !== version) await engine.load(name, { path: name }, { replace: true })
    known.set(name, { etag: version, seenAt: now() })
  }
  /** Two versions of an adapter may have the same configuration. */
  const weightsVersion = async (name: string): Promise<string> =>
    (await bucket.head(`${adapterPrefix(prefix, name)}adapter_model.safetensors`))?.etag ?? ""
  const followAll = (names: readonly string[]): Promise<void> =>
    turns.run(async () => {
      for (const name of names) await follow(name)
    })
  /** What `call` gives, once the engine has what the bucket has. */
  const followed = async <T>(adapter: string | null, call: () => Promise<T>): Promise<T> => {
    if (adapter === null) return call()
    const names = [...new Set([adapter, ...expressionParts(adapter)])]
    await followAll(names)
    try {
      return await call()
    } catch (error) {
      if (!isEspalierError(error, "conflict")) throw error
      // It had given way in memory, and the bucket, not asked again yet, has another by now.
      for (const name of names) forget(name)
      await followAll(names)
      return call()
    }
  }
  /** Has the bucket asked at the next request. */
  const forget = (name: string): void => {
    const seen = known.get(name)
    if (seen) known.set(name, { ...seen, seenAt: Number.NEGATIVE_INFINITY })
  }

  return {
    ...engine,
    generate: (request, call) => followed(request.adapter, () => engine.generate(request, call)),
    embed: (request, call) => followed(request.adapter, () => engine.embed(request, call)),
    async unload(name) {
      await engine.unload(name)
      known.delete(name)
    },
    async publish(name, files) {
      checkName(name, engine.info.base)
      if (!files.has(ADAPTER_CONFIG))
        throw new EspalierError("invalid_file", `Expected ${ADAPTER_CONFIG} among the adapter's files`)
      await writeBucketFolder(bucket, adapterPrefix(prefix, name), files, ADAPTER_CONFIG)
      forget(name)
    },
  }
}

const unlessMissing = (error: unknown): void => {
  if (!isEspalierError(error, "not_found")) throw error
}
