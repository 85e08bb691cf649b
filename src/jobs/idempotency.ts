/**
 * @module Idempotency keys: a creation that is sent again with the same key is answered as it was the first time. The
 * official clients retry a POST whose answer they did not get, so that without this one job would run twice.
 */
import { EspalierError } from "../core/errors.ts"
import type { Database } from "../store/database.ts"

/** How long a key is remembered: 24 hours, in milliseconds. */
export const KEY_LIFETIME = 24 * 60 * 60 * 1000

/** One creation. */
export interface Creation {
  /** Whose keys these are. */
  readonly owner: string
  /** What is created: keys of one kind are nothing to another. */
  readonly scope: string
  /** The client's key; undefined where it sent none. */
  readonly key: string | undefined
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
    const known = database.get(
      "SELECT body_sha256, answer FROM idempotency WHERE owner = ? AND scope = ? AND key = ?",
      owner,
      scope,
      key,
    )
    if (known) {
      if (known["body_sha256"] === bodySha256) return JSON.parse(String(known["answer"])) as T
      throw otherBody()
    }
    const answer = make()
    database.run(
      "INSERT INTO idempotency (owner, scope, key, body_sha256, answer, created_at) VALUES (?, ?, ?, ?, ?, ?)",
      owner,
      scope,
      key,
      bodySha256,
      JSON.stringify(answer),
      now,
    )
    return answer
  })
}
