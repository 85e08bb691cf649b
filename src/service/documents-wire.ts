/**
 * @module What requests about documents may hold, and what answers look like.
 */
import * as v from "valibot"
import type { Added, Metadata } from "../rag/document.ts"
import { documentFormats, metadataProblem } from "../rag/readers/read.ts"
import { countText } from "./jobs-wire.ts"

/** The collection of those who name none. */
export const DEFAULT_COLLECTION = "default"

/** A collection's name. */
export const collectionName = v.pipe(v.string(), v.minLength(1), v.maxLength(128))
const documentId = v.pipe(v.string(), v.minLength(1), v.maxLength(256))
/** Metadata, and values that it must have. */
export const metadata = v.pipe(
  v.unknown(),
  v.rawCheck(({ dataset, addIssue }) => {
    const problem = dataset.typed ? metadataProblem(dataset.value) : null
    if (problem !== null) addIssue({ message: `E${problem.slice(1)}` })
  }),
  v.transform((value) => value as Metadata),
)

const key = v.pipe(v.string(), v.minLength(1), v.maxLength(64))
const value = v.union([v.pipe(v.string(), v.maxLength(512)), v.pipe(v.number(), v.finite()), v.boolean()])
const ordered = v.union([v.pipe(v.string(), v.maxLength(512)), v.pipe(v.number(), v.finite())])
const comparisons = [
  v.object({ type: v.picklist(["eq", "ne"]), key, value }),
  v.object({ type: v.picklist(["gt", "gte", "lt", "lte"]), key, value: ordered }),
  v.object({ type: v.picklist(["in", "nin"]), key, value: v.pipe(v.array(value), v.minLength(1), v.maxLength(64)) }),
] as const
const several = <S extends v.GenericSchema>(filter: S) =>
  v.object({ type: v.picklist(["and", "or"]), filters: v.pipe(v.array(filter), v.minLength(1), v.maxLength(16)) })
const inner = v.variant("type", [...comparisons, several(v.variant("type", comparisons))])

/** Conditions on metadata, in OpenAI's shape: comparisons, `and` and `or` of them, and of those once more. */
export const filters = v.variant("type", [...comparisons, several(inner)])

/** POST /v1/rag/documents. */
export const documentsRequest = v.object({
  collection: v.optional(collectionName, DEFAULT_COLLECTION),
  documents: v.pipe(
    v.array(
      v.object({
        id: v.optional(documentId),
        title: v.optional(v.pipe(v.string(), v.maxLength(1024))),
        text: v.pipe(v.string(), v.minLength(1)),
        format: v.optional(v.picklist(documentFormats.filter((format) => format !== "pdf")), "text"),
        metadata: v.optional(metadata, {}),
      }),
    ),
    v.minLength(1),
    v.maxLength(1000),
  ),
})

/** GET /v1/rag/documents. */
export const documentListQuery = v.object({
  collection: v.optional(collectionName, DEFAULT_COLLECTION),
  limit: v.optional(countText(1000), "100"),
  after: v.optional(documentId),
})

/** POST /v1/rag/search. */
export const searchRequest = v.object({
  collection: v.optional(collectionName, DEFAULT_COLLECTION),
  query: v.pipe(v.string(), v.minLength(1), v.maxLength(8192)),
  limit: v.optional(v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(50)), 3),
  filter: v.optional(metadata, {}),
  filters: v.optional(filters),
})

/** A document as answers show it. */
export interface DocumentObject {
  readonly id: string
  readonly object: "rag.document"
  readonly collection: string
  readonly title: string
  readonly metadata: Metadata
  readonly created_at: number
  readonly bytes: number
  readonly chunks: number
}

/** A document that was added. */
export type AddedObject = DocumentObject & Pick<Added, "change">

/** A passage that was found. */
export interface PassageObject {
  readonly object: "rag.passage"
  readonly document_id: string
  readonly title: string
  readonly chunk: number
  /** Its place in the document's text, in UTF-16 code units. */
  readonly start: number
  readonly end: number
  readonly text: string
  readonly metadata: Metadata
  /** Higher is better; comparable only within one search. */
  readonly score: number
  /** From 0 to 1, comparable between questions. */
  readonly relevance: number
}

/** A list of documents or passages. */
export interface DocumentList<T> {
  readonly object: "list"
  readonly data: readonly T[]
  readonly has_more: boolean
}
