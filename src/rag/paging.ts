/**
 * @module Pages of a list, by the ids that they begin and end at.
 */
import { EspalierError } from "../core/errors.ts"

/** Which part of a list is wanted. */
export interface Page {
  /** @default {100} */
  readonly limit?: number
  /** Only what comes after this one. */
  readonly after?: string | undefined
  /** Only what comes before this one: what is next to it, unless `after` is given too. */
  readonly before?: string | undefined
  /** `desc`: the latest first. @default {"asc"} */
  readonly order?: "asc" | "desc"
}

/** A page as a range of places, the ends left out, and the direction to walk it in. */
export interface PageRange {
  readonly low: number
  readonly high: number
  readonly direction: "ASC" | "DESC"
  /** Whether what is found comes the wrong way round. */
  readonly isReversed: boolean
}

/**
 * Where a page lies.
 * @param placeOf the place of an id, counting up; null if there is none
 * @throws {EspalierError} `invalid_request` for an id that is none
 */
export function pageRange({ after, before, order = "asc" }: Page, placeOf: (id: string) => number | null): PageRange {
  const place = (id: string | undefined, param: "after" | "before"): number | null => {
    if (id === undefined) return null
    const found = placeOf(id)
    if (found !== null) return found
    throw new EspalierError("invalid_request", `Expected \`${param}\` to be the id of an entry but found none`, {
      param,
    })
  }
  const [first, last] = [place(after, "after"), place(before, "before")]
  const isDown = order === "desc"
  const isReversed = last !== null && first === null
  return {
    low: (isDown ? last : first) ?? Number.MIN_SAFE_INTEGER,
    high: (isDown ? first : last) ?? Number.MAX_SAFE_INTEGER,
    direction: isDown !== isReversed ? "DESC" : "ASC",
    isReversed,
  }
}

/** A page of a list in memory. @param items in ascending order */
export function pageOf<T extends { readonly id: string }>(items: readonly T[], page: Page): T[] {
  const places = new Map(items.map(({ id }, place) => [id, place]))
  const { low, high, direction, isReversed } = pageRange(page, (id) => places.get(id) ?? null)
  const between = items.slice(Math.max(0, low + 1), Math.max(0, high))
  const found = (direction === "DESC" ? between.reverse() : between).slice(0, page.limit ?? 100)
  return isReversed ? found.reverse() : found
}

/**
 * A page and whether there is more, in the direction that it was asked for.
 * @param read gives as many entries as it is asked for
 */
export function pageAndMore<T>(page: Page & { readonly limit: number }, read: (page: Page) => readonly T[]) {
  const { limit, after, before } = page
  const found = read({ ...page, limit: limit + 1 })
  const isBackward = before !== undefined && after === undefined
  return { data: isBackward ? found.slice(-limit) : found.slice(0, limit), hasMore: found.length > limit }
}
