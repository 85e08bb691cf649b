/**
 * @module Where passages come from, and how questions are answered from them.
 */
import type { RetrievalMode } from "../answering/decide.ts"
import type { RetrievalProfile } from "../answering/profile.ts"
import type { DocumentIndex } from "../rag/document-index.ts"
import type { Retriever } from "../rag/retriever.ts"

/** How questions are answered from documents. */
export interface RetrievalOptions {
  /** A store of one's own that is searched instead of the documents. */
  readonly retriever?: OwnRetriever
  readonly profile: RetrievalProfile
  /** For requests that don't say. @default {"off"} */
  readonly mode?: RetrievalMode
  /** What is said where nothing was found. @default {"I don't know."} */
  readonly abstention?: string
}

/**
 * A store of one's own (pgvector, Qdrant, ...). It knows collections by their names, those of a tenant by the tenant's name, a
 * slash and theirs.
 */
export interface OwnRetriever extends Retriever {
  /** Tokens of a text, as the base counts them. */
  count(text: string): number
}

/** What is searched. */
export interface RetrievalSource {
  readonly retriever: OwnRetriever
  /** A tenant's collection; null if there is none. */
  find(tenant: string, name: string): { readonly id: string; readonly name: string } | null
}

/** What is searched: a store of one's own, or an index of documents; null if there is neither. */
export function sourceOf(own: OwnRetriever | undefined, index: DocumentIndex | undefined): RetrievalSource | null {
  if (own) return { retriever: own, find: (tenant, name) => ({ id: tenant === "" ? name : `${tenant}/${name}`, name }) }
  return index ? { retriever: index, find: (tenant, name) => index.collection(tenant, name) } : null
}
