/**
 * @module Places in memory, of which there are so many. Whoever wants one when all are taken gets that of an occupant who can be had
 * again from elsewhere: of one that nobody uses, the one used longest ago; where all are in use, of one whose last use ends.
 */
import { EspalierError } from "../core/errors.ts"

/** What has a place. */
export interface Occupant {
  /** Whether nobody uses it now. */
  readonly idle: boolean
  /** Whether it may give way: what lies nowhere else may not. */
  readonly movable: boolean
  /** Tells it that it has given way. Where it was in use, its place is taken until {@link Places.vacate}. */
  leave(): void
}

/** Places, and who has them. */
export interface Places {
  /**
   * Takes a place for what is to come: first come, first served.
   * @param param the field of the request that asks for it
   * @throws {EspalierError} `conflict` where nothing that has one may give way, `queue_full` where too many wait already
   */
  take(param: string): Promise<void>
  /** Gives a taken place to who was to come; it counts as used last. */
  occupy(occupant: Occupant): void
  /** Gives a taken place back: nobody came. */
  cancel(): void
  /** Gives the place of one to another. */
  hand(from: Occupant, to: Occupant): void
  /** Gives a place, though there be none: the next to give way makes up for it. */
  admit(occupant: Occupant): void
  /** Its place is free. One that has none is fine. */
  vacate(occupant: Occupant): void
  /** Notes that one is used; it counts as used last. */
  touch(occupant: Occupant): void
  /** Looks again at who may give way, as one that was used is idle now. */
  review(): void
  /** Refuses all who wait. */
  close(error: EspalierError): void
}

/** Loads that wait for a place at most. */
const MOST_WAITING = 256

/** @param count places that there are */
export function createPlaces(count: number): Places {
  /** The one used longest ago comes first. */
  const seated = new Set<Occupant>()
  /** Those that have given way and are still in use. */
  const leaving = new Set<Occupant>()
  const waiting: { readonly param: string; resolve(): void; reject(error: EspalierError): void }[] = []
  /** Places of what is to come. */
  let taken = 0
  const total = (): number => seated.size + leaving.size + taken

  const review = (): void => {
    while (waiting.length > 0 || total() > count) {
      if (waiting.length > 0 && total() < count) {
        taken++
        waiting.shift()!.resolve()
        continue
      }
      const idle = first(seated, (each) => each.movable && each.idle)
      if (!idle) break
      seated.delete(idle)
      idle.leave()
    }
    // Each that waits has one to wait for. Whoever asks for that one from now on waits behind it, or it would never end.
    while (leaving.size < waiting.length) {
      const busy = first(seated, (each) => each.movable)
      if (!busy) break
      seated.delete(busy)
      leaving.add(busy)
      busy.leave()
    }
    if (taken + leaving.size > 0) return
    for (const { param, reject } of waiting.splice(0))
      reject(
        new EspalierError("conflict", `${count} adapters are loaded, which is the most this server holds`, {
          hint: "Unload one first: none of them was loaded from a folder, so that it could give way and come back",
          param,
        }),
      )
  }

  return {
    take(param) {
      if (waiting.length >= MOST_WAITING)
        throw new EspalierError("queue_full", `${waiting.length} adapters wait for a place in memory`, {
          hint: "Try again in a moment",
          retryAfter: 1,
        })
      const place = new Promise<void>((resolve, reject) => waiting.push({ param, resolve, reject }))
      review()
      return place
    },
    occupy(occupant) {
      taken--
      seated.add(occupant)
      review()
    },
    cancel() {
      taken--
      review()
    },
    hand(from, to) {
      seated.delete(from)
      seated.add(to)
      review()
    },
    admit(occupant) {
      seated.add(occupant)
      review()
    },
    vacate(occupant) {
      if (seated.delete(occupant) || leaving.delete(occupant)) review()
    },
    touch(occupant) {
      if (seated.delete(occupant)) seated.add(occupant)
    },
    review,
    close(error) {
      for (const { reject } of waiting.splice(0)) reject(error)
    },
  }
}

function first<T>(items: Iterable<T>, wanted: (item: T) => boolean): T | undefined {
  for (const item of items) if (wanted(item)) return item
  return undefined
}
