/**
 * @module Adapters in a bucket, which an engine loads when they are first asked for, and anew when they have changed there.
 * One that is published lies there as `espalier publish` writes it, replaced by one put; one that people put there by hand is
 * a folder in PEFT's layout, `adapters/<name>/`. Where there are both, the later one counts.
 */
import { EspalierError, isEspalierError } from "../core/errors.ts"
import { createOneFlight } from "../core/one-flight.ts"
import { expressionParts } from "../merge/expression.ts"
import type { EngineApi } from "../serve/engine-api.ts"
import { checkName } from "../service/adapters.ts"
import { ADAPTER_CONFIG } from "../store/adapter-folder.ts"
import { type Bucket, type BucketEntry, bucketFolder } from "../store/bucket-folder.ts"
import type { Folder } from "../store/folder.ts"
import { manifestKey, publishedFolder, publishFolder } from "../store/published-folder.ts"

/** How an engine follows a bucket. */
export interface BucketAdaptersOptions {
  readonly bucket: Bucket
  /** For how long the bucket isn't asked again whether an adapter is still the same, in milliseconds. @default {2000} */
  readonly trustMs?: number
  /** Milliseconds since 1970. @default {Date.now} */
  readonly now?: () => number
  /** Told why an adapter's version before goes on answering: the bucket can't be asked, or its new one can't be read. */
  readonly onStale?: (name: string, error: unknown) => void
}

/** An engine that knows a bucket's adapters. */
export interface BucketEngine extends EngineApi {
  /**
   * Puts an adapter's files into the bucket; the next request for it gets this one.
   * @throws {EspalierError} `unavailable` if the bucket did not take them: what lay there before is still whole
   */
  publish(name: string, files: ReadonlyMap<string, Uint8Array>): Promise<void>
}

/** An adapter's folder as its files' keys begin. */
const folderPrefix = (name: string): string => `adapters/${name}/`

/** What of a bucket is an adapter now. */
interface Kept {
  /** Changes when the adapter does. */
  readonly version: string
  readonly isPublished: boolean
}

async function findAdapter(bucket: Bucket, name: string): Promise<Kept | null> {
  const keys = [
    manifestKey("", name),
    folderPrefix(name) + ADAPTER_CONFIG,
    // Two versions of an adapter may have the same configuration.
    `${folderPrefix(name)}adapter_model.safetensors`,
  ]
  const heads = await Promise.all(keys.map((key) => bucket.head(key))).catch((cause: unknown) => {
    throw new EspalierError("unavailable", "The bucket could not be asked for adapters", { cause })
  })
  const [manifest, config, weights] = heads as [BucketEntry | null, BucketEntry | null, BucketEntry | null]
  // Its configuration is what makes a folder an adapter.
  if (manifest && !(config && isLater([config, weights], manifest)))
    return { version: manifest.etag, isPublished: true }
  return config && { version: `${config.etag} ${weights?.etag ?? ""}`, isPublished: false }
}

const isLater = (entries: readonly (BucketEntry | null)[], than: BucketEntry): boolean =>
  entries.some((entry) => (entry?.uploaded?.getTime() ?? 0) > (than.uploaded?.getTime() ?? 0))

/** The folder of an adapter of a bucket. @throws {EspalierError} `invalid_file` or `not_found` where there is none */
export async function bucketAdapter(bucket: Bucket, name: string): Promise<Folder> {
  return (await findAdapter(bucket, name))?.isPublished
    ? publishedFolder(bucket, "", name)
    : bucketFolder(bucket, folderPrefix(name))
}

/**
 * The engine, with the bucket's adapters behind it. Its own `load` by path takes the name of a folder of the bucket.
 * @param engine one whose `readAdapter` reads the {@link bucketAdapter} of that name
 */
export function bucketEngine(engine: EngineApi, options: BucketAdaptersOptions): BucketEngine {
  const { bucket, trustMs = 2000, now = Date.now, onStale } = options
  /** Of what came from the bucket: its version there, and when that was last looked at. */
  const known = new Map<string, { readonly version: string; readonly seenAt: number }>()
  /** What is being looked at: two requests for a new adapter load it once, and those for others wait for neither. */
  const following = createOneFlight<void>()
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
    try {
      await refresh(name, seen?.version)
    } catch (error) {
      if (!seen) throw error
      // It may be half put, or the bucket be away: what answers goes on until there is a whole one.
      known.set(name, { ...seen, seenAt: now() })
      onStale?.(name, error)
    }
  }
  /** @param loaded the version that answers, if one does */
  const refresh = async (name: string, loaded: string | undefined): Promise<void> => {
    const kept = await findAdapter(bucket, name)
    if (!kept) {
      if (loaded !== undefined) await engine.unload(name).catch(unlessMissing)
      known.delete(name)
      return
    }
    if (kept.version !== loaded) await engine.load(name, { path: name }, { replace: true })
    known.set(name, { version: kept.version, seenAt: now() })
  }
  const followAll = async (names: readonly string[]): Promise<void> => {
    for (const name of names) await following(name, () => follow(name))
  }
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
      await publishFolder(bucket, "", name, files).catch((cause: unknown) => {
        throw new EspalierError("unavailable", `The bucket did not take adapter "${name}"`, {
          ...{ cause, hint: "Train it again in a moment; an adapter that had this name is as it was" },
        })
      })
      forget(name)
    },
  }
}

const unlessMissing = (error: unknown): void => {
  if (!isEspalierError(error, "not_found")) throw error
}
