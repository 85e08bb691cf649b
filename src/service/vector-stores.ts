/**
 * @module OpenAI's vector stores, which are collections of documents under the names that clients know; their files are
 * uploaded ones, each a document.
 */
import { EspalierError } from "../core/errors.ts"
import { findFile } from "../jobs/file-table.ts"
import type { JobStore } from "../jobs/job-store.ts"
import type { Collection, DocumentRecord, Metadata } from "../rag/document.ts"
import type { DocumentIndex } from "../rag/document-index.ts"
import { formatOfName, readDocuments } from "../rag/readers/read.ts"
import type { Passage } from "../rag/retriever.ts"
import { checked } from "./check.ts"
import { toSeconds } from "./context.ts"
import type { Caller } from "./form-part.ts"
import { type PageBody, pageBody } from "./jobs-wire.ts"
import {
  type VectorStoreFileObject,
  type VectorStoreObject,
  type VectorStoreSearchPage,
  vectorStoreChange,
  vectorStoreFileRequest,
  vectorStoreListQuery,
  vectorStoreRequest,
  vectorStoreSearch,
} from "./vector-stores-wire.ts"

/** Something that was deleted. */
interface Deleted<O extends string> {
  readonly id: string
  readonly object: `${O}.deleted`
  readonly deleted: true
}

type Query = Readonly<Record<string, string>>

/** What a client can do with vector stores. Everything throws `not_found` for a store or a file that is not there. */
export interface VectorStoreService {
  /** @throws {EspalierError} `invalid_file`, `unsupported` for a file that can't be read: then there is no store */
  create(body: unknown, caller?: Caller): Promise<VectorStoreObject>
  list(query: Query, caller?: Caller): PageBody<VectorStoreObject>
  retrieve(id: string, caller?: Caller): VectorStoreObject
  modify(id: string, body: unknown, caller?: Caller): VectorStoreObject
  delete(id: string, caller?: Caller): Deleted<"vector_store">
  addFile(id: string, body: unknown, caller?: Caller): Promise<VectorStoreFileObject>
  listFiles(id: string, query: Query, caller?: Caller): PageBody<VectorStoreFileObject>
  retrieveFile(id: string, file: string, caller?: Caller): VectorStoreFileObject
  deleteFile(id: string, file: string, caller?: Caller): Deleted<"vector_store.file">
  search(id: string, body: unknown, caller?: Caller): Promise<VectorStoreSearchPage>
}

/** Vector stores over an index and the files of a store. */
export function createVectorStoreService(index: DocumentIndex, { database, contents }: JobStore): VectorStoreService {
  const found = (id: string, { owner = "" }: Caller = {}): Collection => {
    const collection = index.collection(owner, id)
    if (collection) return collection
    throw new EspalierError("not_found", `There is no vector store "${id.slice(0, 100)}"`, { param: "vector_store_id" })
  }
  const foundFile = (collection: Collection, file: string): DocumentRecord => {
    const document = index.document(collection.id, file)
    if (document) return document
    throw new EspalierError("not_found", `There is no file "${file.slice(0, 100)}" in this vector store`, {
      param: "file_id",
    })
  }
  /** An uploaded file as a document, whose id is the file's. */
  const documentOf = async (id: string, { owner = "" }: Caller, metadata: Metadata) => {
    const file = findFile(database, owner, id)
    if (!file) throw new EspalierError("not_found", `There is no file "${id.slice(0, 100)}"`, { param: "file_id" })
    const { filename } = file
    const format = formatOfName(filename)
    const read = await readDocuments(await contents.read(file.sha256), {
      name: filename,
      id,
      // Lines of JSON are one file here.
      format: format === "jsonl" ? "text" : format,
    })
    return { ...read[0]!, title: filename, metadata }
  }
  return {
    async create(body, caller = {}) {
      const { name, file_ids, metadata } = checked(vectorStoreRequest, body)
      const documents = []
      for (const id of file_ids ?? []) documents.push(await documentOf(id, caller, {}))
      const { owner = "" } = caller
      const { id } = index.createCollection(owner, name ?? "", metadata ?? {})
      await index.putAll(id, documents)
      return storeObject(found(id, caller))
    },
    list(query, { owner = "" } = {}) {
      const { limit, after } = checked(vectorStoreListQuery, query)
      const all = index.collections(owner)
      const from = after == null ? 0 : 1 + all.findIndex(({ id }) => id === after)
      return pageBody(all.slice(from, from + limit).map(storeObject), all.length > from + limit)
    },
    retrieve: (id, caller) => storeObject(found(id, caller)),
    modify(id, body, caller) {
      const { name, metadata } = checked(vectorStoreChange, body)
      index.changeCollection(found(id, caller).id, {
        ...(name != null && { name }),
        ...(metadata != null && { metadata }),
      })
      return storeObject(found(id, caller))
    },
    delete(id, { owner = "" } = {}) {
      const collection = found(id, { owner })
      index.removeCollection(owner, collection.id)
      return { id: collection.id, object: "vector_store.deleted", deleted: true }
    },
    async addFile(id, body, caller = {}) {
      const { file_id, attributes } = checked(vectorStoreFileRequest, body)
      const collection = found(id, caller)
      const { document } = await index.put(collection.id, await documentOf(file_id, caller, attributes ?? {}))
      return fileObject(collection, document)
    },
    listFiles(id, query, caller) {
      const { limit, after } = checked(vectorStoreListQuery, query)
      const collection = found(id, caller)
      const rows = index.documents(collection.id, { limit: limit + 1, ...(after != null && { after }) })
      return pageBody(
        rows.slice(0, limit).map((row) => fileObject(collection, row)),
        rows.length > limit,
      )
    },
    retrieveFile(id, file, caller) {
      const collection = found(id, caller)
      return fileObject(collection, foundFile(collection, file))
    },
    deleteFile(id, file, caller) {
      const collection = found(id, caller)
      index.remove(collection.id, foundFile(collection, file).id)
      return { id: file, object: "vector_store.file.deleted", deleted: true }
    },
    async search(id, body, caller) {
      const { query, max_num_results, filters, ranking_options } = checked(vectorStoreSearch, body)
      const collection = found(id, caller)
      const queries = typeof query === "string" ? [query] : query
      const passages = await index.search({
        collection: collection.id,
        query: queries.join(" "),
        limit: max_num_results,
        filter: filters ?? undefined,
      })
      const least = ranking_options?.score_threshold ?? 0
      return {
        object: "vector_store.search_results.page",
        search_query: queries,
        data: passages.filter(({ relevance }) => relevance >= least).map(result),
        has_more: false,
        next_page: null,
      }
    },
  }
}

const storeObject = ({ id, name, createdAt, documents, bytes, metadata }: Collection): VectorStoreObject => ({
  id,
  object: "vector_store",
  created_at: toSeconds(createdAt),
  name,
  usage_bytes: bytes,
  file_counts: { in_progress: 0, completed: documents, failed: 0, cancelled: 0, total: documents },
  status: "completed",
  expires_after: null,
  expires_at: null,
  last_active_at: toSeconds(createdAt),
  metadata,
})

const fileObject = (
  collection: Collection,
  { id, bytes, createdAt, metadata }: DocumentRecord,
): VectorStoreFileObject => ({
  id,
  object: "vector_store.file",
  usage_bytes: bytes,
  created_at: toSeconds(createdAt),
  vector_store_id: collection.id,
  status: "completed",
  last_error: null,
  chunking_strategy: { type: "other" },
  attributes: metadata,
})

const result = ({ documentId, title, relevance, metadata, text }: Passage): VectorStoreSearchPage["data"][number] => ({
  file_id: documentId,
  filename: title,
  score: relevance,
  attributes: metadata,
  content: [{ type: "text", text }],
})
