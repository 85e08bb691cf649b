/**
 * @module What is kept of documents, and in which collections.
 */
import type { MetadataValue } from "./retriever.ts"

/** What a document is known by besides its text. */
export type Metadata = Readonly<Record<string, MetadataValue>>

/** A document to add. */
export interface NewDocument {
  /** Adding another one of the same id replaces it. @default its content's hash */
  readonly id?: string
  readonly title: string
  /** Headings as Markdown writes them. */
  readonly text: string
  readonly metadata: Metadata
}

/** A document that was added. */
export interface DocumentRecord {
  readonly id: string
  /** Of its title, text and metadata, in hex. */
  readonly sha256: string
  readonly title: string
  readonly metadata: Metadata
  /** Milliseconds since 1970. */
  readonly createdAt: number
  /** Of its text in UTF-8. */
  readonly bytes: number
  readonly chunks: number
}

/** A set of documents that is searched as one. */
export interface Collection {
  readonly id: string
  /** Whose it is; "" where nobody is told apart. */
  readonly owner: string
  /** Unique among its owner's. */
  readonly name: string
  /** Milliseconds since 1970. */
  readonly createdAt: number
  readonly metadata: Metadata
  readonly documents: number
  readonly bytes: number
}

/** What adding a document did. */
export interface Added {
  readonly document: DocumentRecord
  readonly change: "added" | "replaced" | "unchanged"
}

/** Documents that were added together. */
export interface Batch {
  readonly id: string
  /** Milliseconds since 1970. */
  readonly createdAt: number
  /** Their ids. */
  readonly documents: readonly string[]
}
