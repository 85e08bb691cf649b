/**
 * @module Idempotency keys: a creation that is sent again with the same key is answered as it was the first time. The
 * official clients retry a POST whose answer they did not get, so that without this one job would run twice.
 */
import { EspalierError } from "../core/errors.ts"
import type { Database } from "./database.ts"

/** The table that {@link createOnce} keeps keys in. A released step of a schema: never changed. */
export const idempotencyTable = `
  CREATE TABLE idempotency (
    owner TEXT NOT NULL,
    scope TEXT NOT NULL,
    key TEXT NOT NULL,
    body_sha256 TEXT NOT NULL,
    answer TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    PRIMARY KEY (owner, scope, key)
  )`

/** How long a key is remembered: 24 hours, in milliseconds. */
export const KEY_LIFETIME = 24 * 60 * 60 * 1000

/** One creation. */
export interface Creation {
  /** Whose keys these are. */
  readonly owner: string
  /** What is created: keys of one kind are nothing to another. */
  readonly scope: string
  /** The client's key; undefined where it sent none. */
  readonly key?: string | undefined
  /** sha256 of what was asked for. */
  readonly bodySha256: string
  /** Milliseconds since 1970. */
  readonly now: number
}

/** @throws {EspalierError} `invalid_request` for a key that is none. */
export function checkKey(key: string): void {
  if (/^[\x21-\x7e]{1,255}$/.test(key)) return
  throw new EspalierError("invalid_request", "Expected an Idempotency-Key of 1 to 255 visible ASCII characters", {
    param: "idempotency-key",
  })
}

/** The error of a key that came with another body. */
export const otherBody = (): EspalierError =>
  new EspalierError("conflict", "This Idempotency-Key was sent before with another body", {
    param: "idempotency-key",
    hint: "Send each new request with a key of its own",
  })

/** An answer that was given before. */
export interface Known<T> {
  readonly answer: T
}

/**
 * The answer that a key had before; null where it is new or there is none.
 * @throws {EspalierError} `conflict` for a key that came with another body, `invalid_request` for one that is none.
 */
export function answeredBefore<T>(
  database: Database,
  { owner, scope, key, bodySha256, now }: Creation,
): Known<T> | null {
  if (key === undefined) return null
  checkKey(key)
  const known = database.get(
    "SELECT body_sha256, answer FROM idempotency WHERE owner = ? AND scope = ? AND key = ? AND created_at > ?",
    ...[owner, scope, key, now - KEY_LIFETIME],
  )
  if (!known) return null
  if (known["body_sha256"] !== bodySha256) throw otherBody()
  return { answer: JSON.parse(String(known["answer"])) as T }
}

/**
 * The answer that `key` had before, or `make`'s, remembered with what `make` writes in one transaction.
 * @param make writes what is created, and gives what to answer: plain JSON
 * @throws {EspalierError} `conflict` for a key that came with another body, `invalid_request` for one that is none.
 */
export function createOnce<T>(database: Database, creation: Creation, make: () => T): T {
  const { owner, scope, key, bodySha256, now } = creation
  if (key === undefined) return database.transaction(make)
  checkKey(key)
  return database.transaction(() => {
    database.run("DELETE FROM idempotency WHERE created_at <= ?", now - KEY_LIFETIME)
    const known = answeredBefore<T>(database, creation)
    if (known) return known.answer
    const answer = make()
    database.run(
      "INSERT INTO idempotency (owner, scope, key, body_sha256, answer, created_at) VALUES (?, ?, ?, ?, ?, ?)",
      ...[owner, scope, key, bodySha256, JSON.stringify(answer), now],
    )
    return answer
  })
}

/** Keys at most that are kept in memory; the oldest make room. */
const MOST_KEYS = 10_000

/** Keys in memory, for what lives no longer than the process itself. */
export interface KeysInMemory {
  /** {@link answeredBefore} */
  before<T>(creation: Creation): Known<T> | null
  /** {@link createOnce} */
  once<T>(creation: Creation, make: () => T): T
}

/** No keys yet. */
export function keysInMemory(): KeysInMemory {
  const entries = new Map<string, { readonly bodySha256: string; readonly answer: string; readonly at: number }>()
  const nameOf = ({ owner, scope, key }: Creation): string => JSON.stringify([owner, scope, key])
  return {
    before<T>(creation: Creation) {
      const { key, bodySha256, now } = creation
      if (key === undefined) return null
      checkKey(key)
      const known = entries.get(nameOf(creation))
      if (!known || known.at <= now - KEY_LIFETIME) return null
      if (known.bodySha256 !== bodySha256) throw otherBody()
      return { answer: JSON.parse(known.answer) as T }
    },
    once<T>(creation: Creation, make: () => T) {
      const known = this.before<T>(creation)
      if (known) return known.answer
      const answer = make()
      const { key, bodySha256, now } = creation
      if (key === undefined) return answer
      const name = nameOf(creation)
      entries.delete(name)
      entries.set(name, { bodySha256, answer: JSON.stringify(answer), at: now })
      if (entries.size > MOST_KEYS) entries.delete(entries.keys().next().value!)
      return answer
    },
  }
}
