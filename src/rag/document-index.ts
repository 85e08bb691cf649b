/**
 * @module What keeps documents in collections and finds their passages. There are two: `sqlite-index.ts` on disk, and
 * `memory-index.ts` where there is no SQLite, as on workers and in browsers. A store of one's own that is only searched
 * needs no more than {@link Retriever}.
 */
import type { Creation, Known } from "../store/idempotency.ts"
import type { ChunkOptions } from "./chunk.ts"
import type { Added, Batch, Collection, DocumentRecord, Metadata, NewDocument } from "./document.ts"
import type { Embedder } from "./embedder.ts"
import type { Page } from "./paging.ts"
import type { ReadyDocument } from "./ready-document.ts"
import type { Retriever } from "./retriever.ts"

/** Settings of an index. */
export interface IndexOptions {
  /** How documents are cut; those that are there already stay as they are. */
  readonly chunks: ChunkOptions
  /** Searches by meaning beside words; what was added without it is found by words alone. */
  readonly embedder?: Embedder
  /** Milliseconds since 1970. @default {Date.now} */
  readonly now?: () => number
  /** @default {crypto.randomUUID} without its dashes */
  readonly newId?: () => string
}

/** Documents in collections. A document is there whole or not at all. */
export interface DocumentIndex extends Retriever {
  /** Tokens of a text, as documents are cut by. */
  readonly count: (text: string) => number
  /** A new one, whatever others of its name there are. */
  createCollection(owner: string, name: string, metadata?: Metadata): Collection
  changeCollection(id: string, change: { readonly name?: string; readonly metadata?: Metadata }): void
  /** By its id, or the oldest of a name. */
  collection(owner: string, idOrName: string): Collection | null
  /** The oldest first. */
  collections(owner: string): Collection[]
  /** Removes a collection with its documents. @returns whether there was one */
  removeCollection(owner: string, id: string): boolean
  /**
   * Reads, cuts and embeds documents, the slow part of adding them.
   * @param collection its id, where they are to go: what is there already need not be cut
   * @throws {EspalierError} `invalid_request` for a document without text
   */
  prepare(documents: readonly NewDocument[], collection?: string): Promise<readonly ReadyDocument[]>
  /**
   * Adds documents or replaces those of their ids, all of them or none; kept when this returns.
   * @throws {EspalierError} `not_found` if there is no such collection
   */
  write(collection: string, documents: readonly ReadyDocument[]): Added[]
  /** {@link prepare} and {@link write} of one document. */
  put(collection: string, document: NewDocument): Promise<Added>
  /** The same for several documents, all of them or none. */
  putAll(collection: string, documents: readonly NewDocument[]): Promise<Added[]>
  /**
   * Runs `work` as a whole or not at all, or gives what it gave when the same key came first.
   * @param work gives plain JSON
   * @throws {EspalierError} `conflict` for a key that came with another body, `invalid_request` for one that is none
   */
  once<T>(creation: Omit<Creation, "now">, work: () => T): T
  /** What {@link once} gave when this key came before; null where it is new. @throws {EspalierError} as `once` does */
  before<T>(creation: Omit<Creation, "now">): Known<T> | null
  /** Notes that documents were added together. */
  addBatch(collection: string, documents: readonly string[]): Batch
  batch(collection: string, id: string): Batch | null
  /**
   * A page of documents, in the order that they were added or the other way.
   * @throws {EspalierError} `invalid_request` for a place that is none
   */
  documents(collection: string, page?: Page): DocumentRecord[]
  document(collection: string, id: string): DocumentRecord | null
  /** A document's text as it was added; null if there is none. */
  text(collection: string, id: string): string | null
  /** @returns whether there was one */
  remove(collection: string, id: string): boolean
  close(): void
}
