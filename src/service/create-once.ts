/**
 * @module Creations in an index of documents, answered once for each Idempotency-Key.
 */
import { encodeUtf8 } from "../core/bytes.ts"
import { sha256Hex } from "../core/hash.ts"
import type { DocumentIndex } from "../rag/document-index.ts"
import type { Caller } from "./form-part.ts"

/** One creation. */
export interface IndexCreation<R, T> {
  /** What is created: keys of one kind are nothing to another. */
  readonly scope: string
  /** What was asked for, as plain JSON. */
  readonly body: unknown
  readonly caller: Caller | undefined
  /** Reads and cuts what is to be written, which may take a while; never run for a key that was answered before. */
  prepare(): Promise<R>
  /** Writes it, as a whole or not at all, and gives what to answer. */
  write(ready: R): T
}

/**
 * What was created, now or when the key came first.
 * @throws {EspalierError} `conflict` for a key that came with another body, `invalid_request` for one that is none; what
 *   `prepare` and `write` throw
 */
export async function createInIndex<R, T>(
  index: DocumentIndex,
  { scope, body, caller: { owner = "", idempotencyKey: key } = {}, prepare, write }: IndexCreation<R, T>,
): Promise<T> {
  const creation = { owner, scope, key, bodySha256: await sha256Hex(encodeUtf8(JSON.stringify(body))) }
  const known = index.before<T>(creation)
  if (known) return known.answer
  const ready = await prepare()
  return index.once(creation, () => write(ready))
}
