/**
 * @module The adapters of a decoder, by name. A version is never changed: replacing a name puts another version in its place.
 * The one before stays for a rollback; it is disposed of when it gives way and the last generation that holds it ends.
 *
 * As many names as there are places are in memory. One that was read from a folder gives way to another, keeps its name, and comes
 * back when it is asked for.
 */
import { EspalierError } from "../core/errors.ts"
import type { LoadedAdapter } from "../forms/form.ts"
import {
  type AdapterBinder,
  type AdapterFacts,
  createVersions,
  type Resident,
  type Version,
} from "./adapter-versions.ts"
import type { AdapterInfo } from "./engine-api.ts"
import type { NamedHold, PreparedAdapter } from "./holds.ts"
import type { LaidAdapter } from "./laid-adapter.ts"
import { createPlaces } from "./places.ts"
import { readAgain } from "./read-again.ts"

/** What is known of an adapter that is put into the table. */
export interface PutFacts {
  readonly path: string | null
  /** Put it in the place of one of that name. */
  readonly replace: boolean
  /** The adapter, where it is laid out already. */
  readonly laid?: LaidAdapter
  /** Whether what is read is the table's own. @default {false} */
  readonly owned?: boolean
  /** Reads it once more when it has given way, as the table's own; without it, it never gives way. */
  readonly again?: () => Promise<LoadedAdapter | LaidAdapter>
}

/** Names to bound adapters. */
export interface AdapterTable {
  /**
   * Binds an adapter and puts it under `name`, at once and as a whole.
   * @param read its forms, then and again; what is laid out already is bound in their place. They are the table's own each time where
   * `owned` says so
   * @throws {EspalierError} `conflict` if the name is taken and `replace` is not set, or nothing can give way to it
   */
  put(name: string, read: () => Promise<LoadedAdapter>, facts: PutFacts): Promise<AdapterInfo>
  /**
   * Puts the version before in the place of the one that `name` has now, which becomes the one before: at once, or once it has been
   * read again where it had given way. Until then, and where it can't be, the name stands for what it stood for.
   * @throws {EspalierError} `not_found`, or `conflict` where no version before is kept or it isn't any more what it was
   */
  rollback(name: string): Promise<AdapterInfo>
  /** Takes the name away, and the version before. @throws {EspalierError} `not_found` */
  remove(name: string): Promise<void>
  /** Holds the version that `name` has now, which is in memory: see `bringBack`. @throws {EspalierError} `not_found` */
  hold(name: string): NamedHold
  /** Whether what `name` stands for has given way: then it is to be brought back before it is held. */
  isAway(name: string): boolean
  /**
   * Reads again what has given way: once, however many ask for it.
   * @throws {EspalierError} `conflict` where it isn't any more what it was; `aborted`; `not_found`
   */
  bringBack(name: string, signal?: AbortSignal): Promise<PreparedAdapter>
  /** The version that `name` has now, and a way to its forms, which throws `conflict` where a folder has changed since; or null. */
  find(name: string): { readonly info: AdapterInfo; read(): Promise<LoadedAdapter> } | null
  list(): readonly AdapterInfo[]
  /** Names that there are. */
  readonly size: number
  /** Takes every name away, and ends when nothing is on its way any more. What is asked from then on is refused: `unavailable`. */
  clear(): Promise<void>
}

/** Versions before that are kept at most; each holds memory. */
const MOST_KEPT = 16
/** Names at most, in memory or not. */
const MOST_NAMES = 100_000

/**
 * @param maxAdapters names in memory at most
 * @param now milliseconds since 1970
 */
export function createAdapterTable(binder: AdapterBinder, maxAdapters: number, now: () => number): AdapterTable {
  const versions = new Map<string, Version>()
  /** Versions before, by name; the one that was replaced longest ago comes first. They have no places. */
  const kept = new Map<string, Version>()
  const moves = new Map<string, { evictions: number; reloads: number }>()
  const places = createPlaces(maxAdapters)
  const { make, drop, dropLater, granted, holdOn, close } = createVersions(binder, places, {
    isNamed: (version) => versions.get(version.facts.name) === version,
    moved({ name }, move) {
      const counts = moves.get(name) ?? { evictions: 0, reloads: 0 }
      counts[move]++
      moves.set(name, counts)
    },
  })

  /** Loads that have not ended. */
  const loading = new Set<Promise<unknown>>()
  let refusal: EspalierError | null = null
  const checkOpen = (): void => {
    if (refusal) throw refusal
  }

  const keep = (name: string, version: Version): void => {
    const before = kept.get(name)
    kept.delete(name)
    kept.set(name, version)
    dropLater(before)
    for (const [oldest, each] of kept) {
      if (kept.size <= MOST_KEPT) break
      kept.delete(oldest)
      dropLater(each)
    }
  }
  /** What becomes of a version that another is put in the place of. */
  const retire = (name: string, old: Version, { hash, path }: AdapterFacts): void => {
    // The same once more is nothing to go back from.
    if (old.facts.hash === hash) dropLater(old)
    else if (old.resident || old.facts.path !== path) keep(name, old)
    else {
      // It had given way, and where it came from the new one lies: nothing of it is left to go back to.
      dropLater(old)
      dropLater(kept.get(name))
      kept.delete(name)
    }
  }
  const infoOf = (name: string, { facts, resident }: Version): AdapterInfo => ({
    ...facts,
    previousHash: kept.get(name)?.facts.hash ?? null,
    resident: resident !== null,
    ...(moves.get(name) ?? { evictions: 0, reloads: 0 }),
  })
  const versionOf = (name: string): Version => {
    checkOpen()
    const version = versions.get(name)
    if (version !== undefined) return version
    const names = [...versions.keys()].sort().join(", ")
    throw new EspalierError("not_found", `There is no adapter "${name}"`, {
      hint: names === "" ? "No adapter is loaded" : `Loaded adapters: ${names}`,
      param: "model",
    })
  }
  const checkFree = (name: string, replace: boolean): void => {
    checkOpen()
    if (versions.has(name) && !replace) {
      throw new EspalierError("conflict", `An adapter "${name}" is already loaded`, {
        hint: "Unload it first, or ask to replace it",
        param: "name",
      })
    }
    if (!versions.has(name) && versions.size >= MOST_NAMES) {
      throw new EspalierError("conflict", `${MOST_NAMES} adapters have names, which is the most this server knows`, {
        hint: "Unload one first",
        param: "name",
      })
    }
  }

  const beforeOf = (name: string): Version => {
    versionOf(name)
    const before = kept.get(name)
    if (before) return before
    throw new EspalierError("conflict", `No version of "${name}" before this one is kept`, {
      hint: "Load it from where it lies, with replace",
      param: "name",
    })
  }
  /** Puts the version before, which is in memory, in the place of the one there is. */
  const goBack = (name: string, before: Version & { readonly resident: Resident }): AdapterInfo => {
    const version = versionOf(name)
    versions.set(name, before)
    kept.delete(name)
    kept.set(name, version)
    if (version.resident) places.hand(version.resident, before.resident)
    else places.admit(before.resident)
    return infoOf(name, before)
  }
  const load: AdapterTable["put"] = async (name, read, { path, replace, laid, owned, again }) => {
    checkFree(name, replace)
    let isTaken = false
    const hasPlace = (): boolean => isTaken || versions.get(name)?.resident != null
    const takePlace = async (): Promise<void> => {
      await places.take("name")
      isTaken = true
    }
    try {
      if (!hasPlace()) await takePlace()
      const adapter = laid ?? (await read())
      const bound = await binder.bind(adapter, owned)
      try {
        // Another load of the same name may have won meanwhile, and the version whose place this one was to have may have given way.
        for (checkFree(name, replace); !hasPlace(); checkFree(name, replace)) await takePlace()
      } catch (error) {
        await binder.dispose(bound)
        throw error
      }
      const { hash, method, sizeBytes } = adapter
      const { virtualTokens } = bound
      const facts = { name, hash, method, sizeBytes, virtualTokens, path, loadedAt: now() }
      const { version, resident } = make(facts, { read, again: again ?? null, bound })
      const old = versions.get(name)
      versions.set(name, version)
      if (old?.resident) places.hand(old.resident, resident)
      else {
        isTaken = false
        places.occupy(resident)
      }
      if (old) retire(name, old, facts)
      return infoOf(name, version)
    } finally {
      if (isTaken) places.cancel()
    }
  }

  return {
    async put(name, read, facts) {
      const loaded = load(name, read, facts)
      loading.add(loaded)
      try {
        return await loaded
      } finally {
        loading.delete(loaded)
      }
    },
    async rollback(name) {
      for (;;) {
        const before = beforeOf(name)
        if (isResident(before)) return goBack(name, before)
        let back: PreparedAdapter | null = null
        try {
          back = await granted(before)
          if (kept.get(name) === before && isResident(before)) return goBack(name, before)
        } catch (error) {
          // Meanwhile another may be the one before.
          if (kept.get(name) === before) throw error
        } finally {
          back?.release()
        }
      }
    },
    async remove(name) {
      const version = versionOf(name)
      const before = kept.get(name)
      versions.delete(name)
      kept.delete(name)
      moves.delete(name)
      await Promise.all([drop(version), before && drop(before)])
    },
    hold(name) {
      const { resident } = versionOf(name)
      if (!resident) throw new TypeError(`Adapter "${name}" is not in memory`)
      places.touch(resident)
      return holdOn(name, resident)
    },
    isAway: (name) => versions.get(name)?.resident === null,
    async bringBack(name, signal) {
      for (;;) {
        const version = versionOf(name)
        try {
          return await granted(version, signal)
        } catch (error) {
          // What the name stands for meanwhile may be there.
          if (signal?.aborted || versions.get(name) === version) throw error
        }
      }
    },
    find(name) {
      const version = versions.get(name)
      if (!version) return null
      const { facts, read } = version
      return { info: infoOf(name, version), read: () => readAgain(facts, read) }
    },
    list: () =>
      [...versions].map(([name, version]) => infoOf(name, version)).sort((a, b) => (a.name < b.name ? -1 : 1)),
    get size() {
      return versions.size
    },
    async clear() {
      refusal = new EspalierError("unavailable", "The engine is shutting down", { hint: "Try again in a moment" })
      const all = [...versions.values(), ...kept.values()]
      versions.clear()
      kept.clear()
      const [dropped] = await Promise.allSettled([Promise.all(all.map(drop)), close(refusal), ...loading])
      if (dropped.status === "rejected") throw dropped.reason
    },
  }
}

const isResident = (version: Version): version is Version & { readonly resident: Resident } => version.resident !== null
