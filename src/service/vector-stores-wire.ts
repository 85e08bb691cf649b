/**
 * @module OpenAI's vector stores: what requests may hold, and what answers look like.
 *
 * Source: https://platform.openai.com/docs/api-reference/vector-stores; the `openai` package's types.
 */
import * as v from "valibot"
import type { Metadata } from "../rag/document.ts"
import { filters, metadata } from "./documents-wire.ts"
import { countText } from "./jobs-wire.ts"

const id = v.pipe(v.string(), v.minLength(1), v.maxLength(64))
const name = v.pipe(v.string(), v.minLength(1), v.maxLength(256))
const fileId = v.pipe(v.string(), v.minLength(1), v.maxLength(64))

/** How files are cut is the server's to say. */
const chunking = v.nullish(v.object({ type: v.literal("auto") }))

/** POST /v1/vector_stores. */
export const vectorStoreRequest = v.object({
  name: v.nullish(name),
  file_ids: v.nullish(v.pipe(v.array(fileId), v.maxLength(500))),
  metadata: v.nullish(metadata),
  chunking_strategy: chunking,
  // Nothing expires here, and what is asked for is not passed over.
  expires_after: v.nullish(v.never("Vector stores stay until they are deleted")),
})

/** POST /v1/vector_stores/{id}. */
export const vectorStoreChange = v.object({
  name: v.nullish(name),
  metadata: v.nullish(metadata),
  expires_after: v.nullish(v.never("Vector stores stay until they are deleted")),
})

/** POST /v1/vector_stores/{id}/files. */
export const vectorStoreFileRequest = v.object({
  file_id: fileId,
  attributes: v.nullish(metadata),
  chunking_strategy: chunking,
})

/** POST /v1/vector_stores/{id}/files/{file}. */
export const vectorStoreFileChange = v.object({ attributes: v.nullable(metadata) })

/** POST /v1/vector_stores/{id}/file_batches. */
export const vectorStoreBatchRequest = v.pipe(
  v.object({
    file_ids: v.optional(v.pipe(v.array(fileId), v.minLength(1), v.maxLength(500))),
    files: v.optional(v.pipe(v.array(vectorStoreFileRequest), v.minLength(1), v.maxLength(500))),
    attributes: v.nullish(metadata),
    chunking_strategy: chunking,
  }),
  v.check(
    ({ file_ids, files }) => (file_ids === undefined) !== (files === undefined),
    "Expected either `file_ids` or `files`",
  ),
)

/** The list of vector stores. */
export const vectorStoreListQuery = v.object({
  limit: v.optional(countText(100), "20"),
  order: v.optional(v.picklist(["asc", "desc"]), "desc"),
  after: v.optional(id),
  before: v.optional(id),
})

/** Lists of their files. */
export const vectorStoreFileListQuery = v.object({
  ...vectorStoreListQuery.entries,
  filter: v.optional(v.picklist(["in_progress", "completed", "failed", "cancelled"]), "completed"),
})

/** POST /v1/vector_stores/{id}/search. */
export const vectorStoreSearch = v.object({
  query: v.union([
    v.pipe(v.string(), v.minLength(1), v.maxLength(8192)),
    v.pipe(v.array(v.pipe(v.string(), v.minLength(1), v.maxLength(8192))), v.minLength(1), v.maxLength(8)),
  ]),
  max_num_results: v.nullish(v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(50)), 10),
  filters: v.nullish(filters),
  ranking_options: v.nullish(
    v.object({
      ranker: v.nullish(v.picklist(["auto", "none", "default-2024-11-15"])),
      score_threshold: v.nullish(v.pipe(v.number(), v.minValue(0), v.maxValue(1))),
    }),
  ),
  rewrite_query: v.nullish(v.literal(false)),
})

/** A vector store. */
export interface VectorStoreObject {
  readonly id: string
  readonly object: "vector_store"
  readonly created_at: number
  readonly name: string
  readonly usage_bytes: number
  readonly file_counts: {
    readonly in_progress: 0
    readonly completed: number
    readonly failed: 0
    readonly cancelled: 0
    readonly total: number
  }
  readonly status: "completed"
  readonly expires_at: null
  readonly last_active_at: number
  readonly metadata: Metadata
}

/** A file of a vector store. */
export interface VectorStoreFileObject {
  readonly id: string
  readonly object: "vector_store.file"
  readonly usage_bytes: number
  readonly created_at: number
  readonly vector_store_id: string
  readonly status: "completed"
  readonly last_error: null
  readonly chunking_strategy: { readonly type: "other" }
  readonly attributes: Metadata
}

/** Files that were added together. */
export interface VectorStoreBatchObject {
  readonly id: string
  readonly object: "vector_store.files_batch"
  readonly created_at: number
  readonly vector_store_id: string
  readonly status: "completed"
  readonly file_counts: VectorStoreObject["file_counts"]
}

/** The text of a file. */
export interface FileContentPage {
  readonly object: "vector_store.file_content.page"
  readonly data: readonly { readonly type: "text"; readonly text: string }[]
  readonly has_more: false
  readonly next_page: null
}

/** What a search found. */
export interface VectorStoreSearchPage {
  readonly object: "vector_store.search_results.page"
  readonly search_query: readonly string[]
  readonly data: readonly {
    readonly file_id: string
    readonly filename: string
    /** From 0 to 1: a passage's relevance. */
    readonly score: number
    readonly attributes: Metadata
    readonly content: readonly { readonly type: "text"; readonly text: string }[]
  }[]
  readonly has_more: false
  readonly next_page: null
}
