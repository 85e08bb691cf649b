/**
 * @module Idempotency keys of what lives no longer than the process: loaded adapters. Keys of files and jobs are kept with
 * them in the store (`store/idempotency.ts`).
 */
import { checkKey, KEY_LIFETIME, otherBody } from "../store/idempotency.ts"
import type { Caller } from "./form-part.ts"

/** Creations by their keys. */
export interface OnceCache {
  /**
   * What `make` gives, or gave when the key came first; one that is under way is waited for. What fails is forgotten.
   * @throws {EspalierError} `conflict` for a key that came with another body, `invalid_request` for one that is none.
   */
  run<T>(caller: Caller, body: unknown, make: () => Promise<T>): Promise<T>
}

/** Keys at most; the oldest make room. */
const MOST_KEYS = 10_000

interface Entry {
  readonly body: string
  readonly answer: Promise<unknown>
  readonly at: number
}

/** @param now milliseconds since 1970 */
export function createOnceCache(now: () => number): OnceCache {
  const entries = new Map<string, Entry>()
  return {
    async run<T>({ owner = "", idempotencyKey: key }: Caller, body: unknown, make: () => Promise<T>): Promise<T> {
      if (key === undefined) return make()
      checkKey(key)
      const name = JSON.stringify([owner, key])
      const text = JSON.stringify(body)
      const known = entries.get(name)
      if (known && known.at + KEY_LIFETIME > now()) {
        if (known.body !== text) throw otherBody()
        return (await known.answer) as T
      }
      const answer = make()
      entries.delete(name)
      entries.set(name, { body: text, answer, at: now() })
      for (const oldest of entries.keys()) {
        if (entries.size <= MOST_KEYS) break
        entries.delete(oldest)
      }
      try {
        return await answer
      } catch (error) {
        if (entries.get(name)?.answer === answer) entries.delete(name)
        throw error
      }
    },
  }
}
