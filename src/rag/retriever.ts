/**
 * @module What answers a search: passages of documents, best first. BM25, vectors and both together implement it here; a
 * store of one's own (pgvector, Qdrant) needs this one function.
 */
import type { Filter } from "./filter.ts"

/** A value by which passages may be filtered. */
export type MetadataValue = string | number | boolean

/** A piece of a document. */
export interface Passage {
  readonly documentId: string
  readonly collection: string
  readonly title: string
  /** Which piece of its document it is, from 0. */
  readonly chunk: number
  /** Where it begins in the document's text, in UTF-16 code units. */
  readonly start: number
  /** Where it ends, exclusive. */
  readonly end: number
  readonly text: string
  readonly metadata: Readonly<Record<string, MetadataValue>>
  /** Higher is better; comparable only within one retriever. */
  readonly score: number
  /**
   * From 0 to 1, comparable between questions: the part of what the question asks for that it holds, words counting by how
   * rare they are. A passage about another subject lacks the rarest word, its name.
   */
  readonly relevance: number
}

/** A search. */
export interface SearchRequest {
  /** Only this collection's documents are looked at. */
  readonly collection: string
  readonly query: string
  /** The most passages to return. */
  readonly limit: number
  /** What a document's metadata must be like, looked at before the ranking. */
  readonly filter?: Filter | undefined
}

/** Finds passages. */
export interface Retriever {
  /** @returns passages, best first; none if no word of the query occurs or the collection is empty */
  search(request: SearchRequest, signal?: AbortSignal): Promise<readonly Passage[]>
}
