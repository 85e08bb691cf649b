/**
 * @module OpenAI's vector stores, which are collections of documents under the names that clients know; their files are
 * uploaded ones, each a document.
 */
import { EspalierError } from "../core/errors.ts"
import type { JobStore } from "../jobs/job-store.ts"
import type { Collection } from "../rag/document.ts"
import type { DocumentIndex } from "../rag/document-index.ts"
import { pageAndMore, pageOf } from "../rag/paging.ts"
import type { Passage } from "../rag/retriever.ts"
import { checked } from "./check.ts"
import { toSeconds } from "./context.ts"
import { createInIndex } from "./create-once.ts"
import type { Caller } from "./form-part.ts"
import { type DeletedBody, type PageBody, pageBody } from "./jobs-wire.ts"
import { createVectorStoreFiles, fileReader, type VectorStoreFiles } from "./vector-store-files.ts"
import {
  type VectorStoreObject,
  type VectorStoreSearchPage,
  vectorStoreChange,
  vectorStoreListQuery,
  vectorStoreRequest,
  vectorStoreSearch,
} from "./vector-stores-wire.ts"

type Query = Readonly<Record<string, string>>

/** What a client can do with vector stores. Everything throws `not_found` for a store or a file that is not there. */
export interface VectorStoreService extends VectorStoreFiles {
  /** @throws {EspalierError} `invalid_file`, `unsupported` for a file that can't be read: then there is no store */
  create(body: unknown, caller?: Caller): Promise<VectorStoreObject>
  list(query: Query, caller?: Caller): PageBody<VectorStoreObject>
  retrieve(id: string, caller?: Caller): VectorStoreObject
  modify(id: string, body: unknown, caller?: Caller): VectorStoreObject
  delete(id: string, caller?: Caller): DeletedBody<"vector_store.deleted">
  search(id: string, body: unknown, caller?: Caller): Promise<VectorStoreSearchPage>
}

/** Vector stores over an index and the files of a store. */
export function createVectorStoreService(index: DocumentIndex, store: JobStore): VectorStoreService {
  const readFile = fileReader(store)
  const found = (id: string, { owner = "" }: Caller = {}): Collection => {
    const collection = index.collection(owner, id)
    if (collection) return collection
    throw new EspalierError("not_found", `There is no vector store "${id.slice(0, 100)}"`, { param: "vector_store_id" })
  }
  return {
    ...createVectorStoreFiles(index, readFile, found),
    async create(body, caller = {}) {
      const { name, file_ids, metadata } = checked(vectorStoreRequest, body)
      const { owner = "" } = caller
      return createInIndex(index, {
        ...{ scope: "vector_store", body, caller },
        async prepare() {
          const documents = []
          for (const id of file_ids ?? []) documents.push(await readFile(id, caller, {}))
          return index.prepare(documents)
        },
        write(ready) {
          const { id } = index.createCollection(owner, name ?? "", metadata ?? {})
          index.write(id, ready)
          return storeObject(found(id, caller))
        },
      })
    },
    list(query, { owner = "" } = {}) {
      const all = index.collections(owner)
      const { data, hasMore } = pageAndMore(checked(vectorStoreListQuery, query), (page) => pageOf(all, page))
      return pageBody(data.map(storeObject), hasMore)
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
  expires_at: null,
  last_active_at: toSeconds(createdAt),
  metadata,
})

const result = ({ documentId, title, relevance, metadata, text }: Passage): VectorStoreSearchPage["data"][number] => ({
  file_id: documentId,
  filename: title,
  score: relevance,
  attributes: metadata,
  content: [{ type: "text", text }],
})
