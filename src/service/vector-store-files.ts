/**
 * @module The files of OpenAI's vector stores, one by one and in batches: uploaded files, each a document.
 */
import { EspalierError } from "../core/errors.ts"
import { findFile } from "../jobs/file-table.ts"
import type { JobStore } from "../jobs/job-store.ts"
import type { Batch, Collection, DocumentRecord, Metadata, NewDocument } from "../rag/document.ts"
import type { DocumentIndex } from "../rag/document-index.ts"
import { pageAndMore, pageOf } from "../rag/paging.ts"
import { formatOfName, readDocuments } from "../rag/readers/read.ts"
import { checked } from "./check.ts"
import { toSeconds } from "./context.ts"
import { createInIndex } from "./create-once.ts"
import type { Caller } from "./form-part.ts"
import { type DeletedBody, type PageBody, pageBody } from "./jobs-wire.ts"
import {
  type FileContentPage,
  type VectorStoreBatchObject,
  type VectorStoreFileObject,
  vectorStoreBatchRequest,
  vectorStoreFileChange,
  vectorStoreFileListQuery,
  vectorStoreFileRequest,
} from "./vector-stores-wire.ts"

type Query = Readonly<Record<string, string>>

/** What a client can do with the files of a store. Everything throws `not_found` for what is not there. */
export interface VectorStoreFiles {
  /** @throws {EspalierError} `invalid_file`, `unsupported` for a file that can't be read */
  addFile(id: string, body: unknown, caller?: Caller): Promise<VectorStoreFileObject>
  listFiles(id: string, query: Query, caller?: Caller): PageBody<VectorStoreFileObject>
  retrieveFile(id: string, file: string, caller?: Caller): VectorStoreFileObject
  /** Other attributes; the text stays. */
  modifyFile(id: string, file: string, body: unknown, caller?: Caller): Promise<VectorStoreFileObject>
  /** The text that searches look at. */
  fileContent(id: string, file: string, caller?: Caller): FileContentPage
  deleteFile(id: string, file: string, caller?: Caller): DeletedBody<"vector_store.file.deleted">
  /** Several files, all of them or none. @throws {EspalierError} as {@link addFile} does, naming the file */
  addBatch(id: string, body: unknown, caller?: Caller): Promise<VectorStoreBatchObject>
  retrieveBatch(id: string, batch: string, caller?: Caller): VectorStoreBatchObject
  /** @throws {EspalierError} `conflict`: a batch is done when it is answered */
  cancelBatch(id: string, batch: string, caller?: Caller): VectorStoreBatchObject
  /** Those of its files that are still there. */
  listBatchFiles(id: string, batch: string, query: Query, caller?: Caller): PageBody<VectorStoreFileObject>
}

/** Uploaded files as documents, whose ids are the files'. */
export const fileReader =
  ({ database, contents }: JobStore) =>
  async (id: string, { owner = "" }: Caller, metadata: Metadata): Promise<NewDocument> => {
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

/** The files of stores. @param found a caller's store, or an error */
export function createVectorStoreFiles(
  index: DocumentIndex,
  readFile: ReturnType<typeof fileReader>,
  found: (id: string, caller?: Caller) => Collection,
): VectorStoreFiles {
  const foundFile = (collection: Collection, file: string): DocumentRecord => {
    const document = index.document(collection.id, file)
    if (document) return document
    throw new EspalierError("not_found", `There is no file "${file.slice(0, 100)}" in this vector store`, {
      param: "file_id",
    })
  }
  const foundBatch = (collection: Collection, id: string): Batch => {
    const batch = index.batch(collection.id, id)
    if (batch) return batch
    throw new EspalierError("not_found", `There is no batch "${id.slice(0, 100)}" in this vector store`, {
      param: "batch_id",
    })
  }
  return {
    async addFile(id, body, caller = {}) {
      const { file_id, attributes } = checked(vectorStoreFileRequest, body)
      const collection = found(id, caller)
      return createInIndex(index, {
        ...{ scope: `vector_store.file ${collection.id}`, body, caller },
        prepare: async () => index.prepare([await readFile(file_id, caller, attributes ?? {})], collection.id),
        write: (ready) => fileObject(collection, index.write(collection.id, ready)[0]!.document),
      })
    },
    listFiles(id, query, caller) {
      const { filter, ...page } = checked(vectorStoreFileListQuery, query)
      const collection = found(id, caller)
      const { data, hasMore } = pageAndMore(page, (part) => index.documents(collection.id, part))
      return filter === "completed"
        ? pageBody(
            data.map((row) => fileObject(collection, row)),
            hasMore,
          )
        : nothing()
    },
    retrieveFile(id, file, caller) {
      const collection = found(id, caller)
      return fileObject(collection, foundFile(collection, file))
    },
    async modifyFile(id, file, body, caller) {
      const { attributes } = checked(vectorStoreFileChange, body)
      const collection = found(id, caller)
      const { title } = foundFile(collection, file)
      const text = index.text(collection.id, file)!
      const { document } = await index.put(collection.id, { id: file, title, text, metadata: attributes ?? {} })
      return fileObject(collection, document)
    },
    fileContent(id, file, caller) {
      const collection = found(id, caller)
      foundFile(collection, file)
      const text = index.text(collection.id, file)!
      return {
        object: "vector_store.file_content.page",
        data: [{ type: "text", text }],
        has_more: false,
        next_page: null,
      }
    },
    deleteFile(id, file, caller) {
      const collection = found(id, caller)
      index.remove(collection.id, foundFile(collection, file).id)
      return { id: file, object: "vector_store.file.deleted", deleted: true }
    },
    async addBatch(id, body, caller = {}) {
      const { file_ids, files, attributes } = checked(vectorStoreBatchRequest, body)
      const collection = found(id, caller)
      const wanted = files ?? (file_ids ?? []).map((file_id) => ({ file_id, attributes }))
      return createInIndex(index, {
        ...{ scope: `vector_store.files_batch ${collection.id}`, body, caller },
        async prepare() {
          const documents: NewDocument[] = []
          for (const { file_id, attributes: own } of wanted) documents.push(await readFile(file_id, caller, own ?? {}))
          return index.prepare(documents, collection.id)
        },
        write(ready) {
          const added = index.write(collection.id, ready)
          const ids = [...new Set(added.map(({ document }) => document.id))]
          return batchObject(collection, index.addBatch(collection.id, ids))
        },
      })
    },
    retrieveBatch(id, batch, caller) {
      const collection = found(id, caller)
      return batchObject(collection, foundBatch(collection, batch))
    },
    cancelBatch(id, batch, caller) {
      foundBatch(found(id, caller), batch)
      throw new EspalierError("conflict", "The batch is completed: there is nothing left to cancel", {
        param: "batch_id",
        hint: "Delete its files to take them out of the vector store",
      })
    },
    listBatchFiles(id, batch, query, caller) {
      const { filter, ...page } = checked(vectorStoreFileListQuery, query)
      const collection = found(id, caller)
      const there = foundBatch(collection, batch).documents.flatMap((file) => {
        const document = index.document(collection.id, file)
        return document ? [document] : []
      })
      const { data, hasMore } = pageAndMore(page, (part) => pageOf(there, part))
      return filter === "completed"
        ? pageBody(
            data.map((row) => fileObject(collection, row)),
            hasMore,
          )
        : nothing()
    },
  }
}

/** Every file is completed once it is there. */
const nothing = (): PageBody<VectorStoreFileObject> => pageBody<VectorStoreFileObject>([], false)

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

const batchObject = (collection: Collection, { id, createdAt, documents }: Batch): VectorStoreBatchObject => ({
  id,
  object: "vector_store.files_batch",
  created_at: toSeconds(createdAt),
  vector_store_id: collection.id,
  status: "completed",
  file_counts: { in_progress: 0, completed: documents.length, failed: 0, cancelled: 0, total: documents.length },
})
