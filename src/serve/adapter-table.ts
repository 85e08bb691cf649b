/**
 * @module The adapters that a decoder has ready, by name. A version is never changed: replacing a name puts another
 * version in its place. The one before stays for a rollback; it is disposed of when it gives way and the last generation that
 * holds it ends.
 */
import { EspalierError } from "../core/errors.ts"
import type { LoadedAdapter } from "../forms/form.ts"
import type { BoundAdapter } from "./decoder.ts"
import type { AdapterInfo } from "./engine-api.ts"
import type { AdapterHold } from "./generation.ts"
import type { LaidAdapter } from "./laid-adapter.ts"

/** What the table needs of a decoder; each call waits for its turn. */
export interface AdapterBinder {
  /** @param owned whether the adapter is bound once and then nobody's: its memory may be given back. @default {false} */
  bind(adapter: LoadedAdapter | LaidAdapter, owned?: boolean): Promise<BoundAdapter>
  dispose(bound: BoundAdapter): Promise<void>
}

/** A held version and the name that it was asked by. */
export interface NamedHold extends AdapterHold {
  readonly name: string
}

interface Version {
  readonly info: AdapterInfo
  /** Its forms again: from memory, or from the folder that it came from. */
  readonly read: () => Promise<LoadedAdapter>
  readonly bound: BoundAdapter
  /** Generations in flight, and one for the name while it stands in the table. */
  holders: number
}

/** Names to bound adapters. */
export interface AdapterTable {
  /**
   * Binds an adapter and puts it under `name`, at once and as a whole.
   * @param read its forms, then and again; what is laid out already is bound in their place. They are the table's own each time where
   * `owned` says so
   * @throws {EspalierError} `conflict` if the name is taken and `replace` is not set, or the table is full
   */
  put(
    name: string,
    read: () => Promise<LoadedAdapter>,
    facts: { path: string | null; replace: boolean; laid?: LaidAdapter; owned?: boolean },
  ): Promise<AdapterInfo>
  /**
   * Puts the version before in the place of the one that `name` has now, which becomes the one before.
   * @throws {EspalierError} `not_found`, or `conflict` where no version before is kept
   */
  rollback(name: string): AdapterInfo
  /** Takes the name away, and the version before. @throws {EspalierError} `not_found` */
  remove(name: string): Promise<void>
  /** Holds the version that `name` has now. @throws {EspalierError} `not_found` */
  hold(name: string): NamedHold
  /** The version that `name` has now, and a way to its forms, which a folder may have changed since; or null. */
  find(name: string): { readonly info: AdapterInfo; read(): Promise<LoadedAdapter> } | null
  list(): readonly AdapterInfo[]
  /** Takes every name away. */
  clear(): Promise<void>
}

/** Versions before that are kept at most; each holds memory. */
const MOST_KEPT = 16

/**
 * @param maxAdapters names at most; each holds memory
 * @param now milliseconds since 1970
 */
export function createAdapterTable(binder: AdapterBinder, maxAdapters: number, now: () => number): AdapterTable {
  const versions = new Map<string, Version>()
  /** Versions before, by name; the one that was replaced longest ago comes first. */
  const kept = new Map<string, Version>()

  const release = async (version: Version): Promise<void> => {
    if (--version.holders === 0) await binder.dispose(version.bound)
  }
  /** For those who must not wait: a version that cannot be freed costs memory and nothing else. */
  const releaseLater = (version: Version): void => void release(version).catch(() => {})
  const keep = (name: string, version: Version): void => {
    const before = kept.get(name)
    kept.delete(name)
    kept.set(name, version)
    if (before !== undefined) releaseLater(before)
    for (const [oldest, each] of kept) {
      if (kept.size <= MOST_KEPT) break
      kept.delete(oldest)
      releaseLater(each)
    }
  }
  const infoOf = (name: string, { info }: Version): AdapterInfo => ({
    ...info,
    previousHash: kept.get(name)?.info.hash ?? null,
  })
  const versionOf = (name: string): Version => {
    const version = versions.get(name)
    if (version !== undefined) return version
    const names = [...versions.keys()].sort().join(", ")
    throw new EspalierError("not_found", `There is no adapter "${name}"`, {
      hint: names === "" ? "No adapter is loaded" : `Loaded adapters: ${names}`,
      param: "model",
    })
  }
  const checkFree = (name: string, replace: boolean): void => {
    if (versions.has(name) && !replace) {
      throw new EspalierError("conflict", `An adapter "${name}" is already loaded`, {
        hint: "Unload it first, or ask to replace it",
        param: "name",
      })
    }
    if (!versions.has(name) && versions.size >= maxAdapters) {
      throw new EspalierError("conflict", `${maxAdapters} adapters are loaded, which is the most this server holds`, {
        hint: "Unload one first",
        param: "name",
      })
    }
  }

  return {
    async put(name, read, { path, replace, laid, owned }) {
      checkFree(name, replace)
      const adapter = laid ?? (await read())
      const bound = await binder.bind(adapter, owned)
      try {
        // Another load of the same name may have won meanwhile.
        checkFree(name, replace)
      } catch (error) {
        await binder.dispose(bound)
        throw error
      }
      const { hash, method, sizeBytes } = adapter
      const { virtualTokens } = bound
      const version: Version = {
        info: { name, hash, method, sizeBytes, virtualTokens, path, loadedAt: now(), previousHash: null },
        read,
        bound,
        holders: 1,
      }
      const old = versions.get(name)
      versions.set(name, version)
      if (old !== undefined) {
        // The same once more is nothing to go back from.
        if (old.info.hash === hash) releaseLater(old)
        else keep(name, old)
      }
      return infoOf(name, version)
    },
    rollback(name) {
      const version = versionOf(name)
      const before = kept.get(name)
      if (before === undefined) {
        throw new EspalierError("conflict", `No version of "${name}" before this one is kept`, {
          hint: "Load it from where it lies, with replace",
          param: "name",
        })
      }
      versions.set(name, before)
      kept.delete(name)
      kept.set(name, version)
      return infoOf(name, before)
    },
    async remove(name) {
      const version = versionOf(name)
      const before = kept.get(name)
      versions.delete(name)
      kept.delete(name)
      await release(version)
      if (before !== undefined) await release(before)
    },
    hold(name) {
      const version = versionOf(name)
      version.holders++
      let held = true
      return {
        name,
        bound: version.bound,
        release() {
          if (!held) return
          held = false
          releaseLater(version)
        },
      }
    },
    find: (name) => versions.get(name) ?? null,
    list: () =>
      [...versions].map(([name, version]) => infoOf(name, version)).sort((a, b) => (a.name < b.name ? -1 : 1)),
    async clear() {
      const all = [...versions.values(), ...kept.values()]
      versions.clear()
      kept.clear()
      await Promise.all(all.map(release))
    },
  }
}
