/**
 * @module Versions of adapters, and their memory: a version that was read from a folder may give its memory up and be read again, once
 * for all who wait for it. Whoever holds a version's memory keeps it, whatever becomes of the version.
 */
import { EspalierError } from "../core/errors.ts"
import type { LoadedAdapter } from "../forms/form.ts"
import type { BoundAdapter } from "./decoder.ts"
import type { AdapterInfo } from "./engine-api.ts"
import { type Counted, holdOn, type NamedHold, type PreparedAdapter, preparedBy } from "./holds.ts"
import type { LaidAdapter } from "./laid-adapter.ts"
import type { Occupant, Places } from "./places.ts"
import { readAgain } from "./read-again.ts"

/** What the table needs of a decoder; each call waits for its turn. */
export interface AdapterBinder {
  /** @param owned whether the adapter is bound once and then nobody's: its memory may be given back. @default {false} */
  bind(adapter: LoadedAdapter | LaidAdapter, owned?: boolean): Promise<BoundAdapter>
  dispose(bound: BoundAdapter): Promise<void>
}

/** What never changes of a version. */
export type AdapterFacts = Omit<AdapterInfo, "previousHash" | "resident" | "evictions" | "reloads">

/** A version's memory. */
export interface Resident extends Occupant, Counted {
  /** Generations in flight, and one for the name while the version stands in the table. */
  holders: number
}

/** Who waits for a version to come back. */
interface Waiter {
  /** Its hold, once the version is there. */
  granted: Resident | null
}

/** What an adapter was when it was loaded. */
export interface Version {
  readonly facts: AdapterFacts
  /** Its forms again: from memory, or from the folder that it came from. */
  readonly read: () => Promise<LoadedAdapter>
  /** How it comes back once it has given way; null where it can't. */
  readonly again: (() => Promise<LoadedAdapter | LaidAdapter>) | null
  /** Whether it stands in the table, under its name or as the version before. */
  stands: boolean
  resident: Resident | null
  /** Its way back, while it is on it. */
  coming: Promise<void> | null
  readonly waiters: Set<Waiter>
}

/** How versions come and go. */
export interface Versions {
  /** A version that stands, and its memory. */
  make(
    facts: AdapterFacts,
    parts: Pick<Version, "read" | "again"> & { readonly bound: BoundAdapter },
  ): { readonly version: Version; readonly resident: Resident }
  /** Takes a version out of the table. */
  drop(version: Version): Promise<void>
  /** For those who must not wait: a version that cannot be freed costs memory and nothing else. */
  dropLater(version: Version | undefined): void
  /**
   * A version's memory, once it is there.
   * @throws {EspalierError} What keeps it from being read, or `aborted`
   */
  granted(version: Version, signal?: AbortSignal): Promise<PreparedAdapter>
  /** One more hold on a version's memory. */
  holdOn(name: string, resident: Resident): NamedHold
  /** Lets nothing come back any more: refuses all who wait, and ends when nothing is on its way. */
  close(error: EspalierError): Promise<void>
}

/** What the table knows of its versions, and is told. */
export interface VersionEvents {
  /** Whether it is what its name stands for: such a version has a place in memory, or none and no memory either. */
  isNamed(version: Version): boolean
  moved(facts: AdapterFacts, move: "evictions" | "reloads"): void
}

/** Versions over a decoder. */
export function createVersions(binder: AdapterBinder, places: Places, { isNamed, moved }: VersionEvents): Versions {
  let refusal: EspalierError | null = null
  const coming = new Set<Promise<void>>()
  const checkOpen = (): void => {
    if (refusal) throw refusal
  }
  const release = async (resident: Resident): Promise<void> => {
    resident.holders--
    if (resident.holders > 0) return places.review()
    places.vacate(resident)
    await binder.dispose(resident.bound)
  }
  /** For those who must not wait: a version that cannot be freed costs memory and nothing else. */
  const releaseLater = (resident: Resident): void => void release(resident).catch(() => {})
  /** Takes a version out of the table. */
  const drop = async (version: Version): Promise<void> => {
    const { resident } = version
    version.stands = false
    version.resident = null
    if (!resident) return
    places.vacate(resident)
    await release(resident)
  }
  /** A version's memory: held by its name, and by all who wait for it. */
  const residentOf = (version: Version, bound: BoundAdapter): Resident => {
    const resident: Resident = {
      bound,
      holders: version.waiters.size + (version.stands ? 1 : 0),
      movable: version.again !== null,
      get idle() {
        return resident.holders === 1
      },
      leave() {
        version.resident = null
        moved(version.facts, "evictions")
        releaseLater(resident)
      },
    }
    if (version.stands) version.resident = resident
    for (const waiter of version.waiters) waiter.granted = resident
    version.waiters.clear()
    return resident
  }

  /** Puts a version in memory again that has given way, for those who wait for it. */
  const comeBack = async (version: Version): Promise<void> => {
    checkOpen()
    // The version before, which a rollback waits for, has no place: it is named once it is there.
    let isTaken = isNamed(version)
    if (isTaken) await places.take("model")
    try {
      // All who wanted it have gone.
      if (version.waiters.size === 0) return
      const { facts, again } = version
      const bound = await binder.bind(await readAgain(facts, again!), true)
      // Neither it nor its waiters are there any more.
      if (refusal || (!version.stands && version.waiters.size === 0)) {
        await binder.dispose(bound)
        return checkOpen()
      }
      const resident = residentOf(version, bound)
      if (version.stands) moved(facts, "reloads")
      if (!isNamed(version)) return
      isTaken = false
      // It may give way at once, where nobody waits for it any more and somebody for its place.
      places.occupy(resident)
    } finally {
      if (isTaken) places.cancel()
    }
  }
  const startBack = (version: Version): Promise<void> => {
    const back = comeBack(version).finally(() => {
      version.coming = null
      coming.delete(back)
    })
    coming.add(back)
    return back
  }
  const granted = async (version: Version, signal?: AbortSignal): Promise<PreparedAdapter> => {
    const waiter: Waiter = { granted: version.resident }
    if (waiter.granted) waiter.granted.holders++
    try {
      while (!waiter.granted) {
        version.waiters.add(waiter)
        version.coming ??= startBack(version)
        await orAborted(version.coming, signal)
      }
      return preparedBy(version.facts.name, waiter.granted, releaseLater)
    } catch (error) {
      version.waiters.delete(waiter)
      if (waiter.granted) releaseLater(waiter.granted)
      throw error
    }
  }
  return {
    make(facts, { read, again, bound }) {
      const version: Version = { facts, read, again, stands: true, resident: null, coming: null, waiters: new Set() }
      return { version, resident: residentOf(version, bound) }
    },
    drop,
    dropLater: (version) => void (version && drop(version).catch(() => {})),
    granted,
    holdOn: (name, resident) => holdOn(name, resident, releaseLater),
    async close(error) {
      refusal = error
      places.close(error)
      await Promise.allSettled(coming)
    },
  }
}

/** What `promise` gives, or an error once the signal says so. */
async function orAborted(promise: Promise<void>, signal?: AbortSignal): Promise<void> {
  if (!signal) return promise
  let abort = (): void => {}
  const aborted = new Promise<never>((_resolve, reject) => {
    abort = () => reject(new EspalierError("aborted", "The request was aborted"))
  })
  signal.addEventListener("abort", abort, { once: true })
  if (signal.aborted) abort()
  try {
    await Promise.race([promise, aborted])
  } finally {
    signal.removeEventListener("abort", abort)
  }
}
