/**
 * @module Documents over HTTP: add, list, look at, remove and search. Collections come to be when something is added to
 * them, and each tenant has its own.
 */
import { concatBytes, encodeUtf8 } from "../core/bytes.ts"
import { EspalierError } from "../core/errors.ts"
import { sha256Hex } from "../core/hash.ts"
import type { Collection, DocumentRecord, NewDocument } from "../rag/document.ts"
import type { DocumentIndex } from "../rag/document-index.ts"
import { both, equalTo } from "../rag/filter.ts"
import { firstWords, readDocuments } from "../rag/readers/read.ts"
import type { Passage } from "../rag/retriever.ts"
import { checked } from "./check.ts"
import { toSeconds } from "./context.ts"
import { createInIndex } from "./create-once.ts"
import {
  type AddedObject,
  collectionName,
  DEFAULT_COLLECTION,
  type DocumentList,
  type DocumentObject,
  documentListQuery,
  documentsRequest,
  type PassageObject,
  searchRequest,
} from "./documents-wire.ts"
import { type Caller, type FormPart, textOf } from "./form-part.ts"
import type { DeletedBody } from "./jobs-wire.ts"

/** What a client can do with documents. */
export interface DocumentService {
  readonly index: DocumentIndex
  /** All of them or none. @throws {EspalierError} `invalid_request`, `invalid_file` naming the line */
  add(body: unknown, caller?: Caller): Promise<DocumentList<AddedObject>>
  /** Takes in a file. @throws {EspalierError} `invalid_file`, `unsupported`, `too_large` */
  upload(form: AsyncIterable<FormPart>, caller?: Caller): Promise<DocumentList<AddedObject>>
  list(query: Readonly<Record<string, string>>, caller?: Caller): DocumentList<DocumentObject>
  /** With its text. @throws {EspalierError} `not_found` */
  retrieve(id: string, query: Readonly<Record<string, string>>, caller?: Caller): DocumentObject & { text: string }
  /** @throws {EspalierError} `not_found` */
  delete(id: string, query: Readonly<Record<string, string>>, caller?: Caller): DeletedBody<"rag.document">
  search(body: unknown, caller?: Caller): Promise<DocumentList<PassageObject>>
  /** A caller's collection. @throws {EspalierError} `not_found` */
  collection(name: string, caller?: Caller): Collection
}

/** A plain field of the form is at most this long, in characters. */
const MAX_FIELD = 1024

/** Documents over an index. @param maxFileBytes of an uploaded file */
export function createDocumentService(index: DocumentIndex, maxFileBytes: number): DocumentService {
  const found = (name: string, { owner = "" }: Caller = {}): Collection => {
    const collection = index.collection(owner, name)
    if (collection) return collection
    throw new EspalierError("not_found", `There is no collection "${name}"`, {
      param: "collection",
      hint: "Collections come to be when a document is added to them",
    })
  }
  const made = (name: string, { owner = "" }: Caller = {}): Collection =>
    index.collection(owner, name) ?? index.createCollection(owner, name)
  /** @param body what was asked for, as plain JSON */
  const addAll = (name: string, body: unknown, caller: Caller | undefined, read: () => Promise<NewDocument[]>) =>
    createInIndex(index, {
      ...{ scope: "document", body, caller },
      prepare: async () => index.prepare(await read(), index.collection(caller?.owner ?? "", name)?.id),
      write(ready) {
        const collection = made(name, caller)
        const data = index
          .write(collection.id, ready)
          .map(({ document, change }): AddedObject => ({ ...documentObject(collection, document), change }))
        return { object: "list" as const, data, has_more: false }
      },
    })
  const absent = (id: string): EspalierError =>
    new EspalierError("not_found", `There is no document "${id.slice(0, 100)}"`, { param: "id" })
  const ofQuery = (query: Readonly<Record<string, string>>, caller: Caller | undefined): Collection =>
    found(checked(documentListQuery, query).collection, caller)
  return {
    index,
    async add(body, caller) {
      const { collection, documents } = checked(documentsRequest, body)
      return addAll(collection, body, caller, async () => {
        const read: NewDocument[] = []
        for (const { id, title, text, format, metadata } of documents)
          for (const document of await readDocuments(encodeUtf8(text), { name: title ?? "", format }))
            read.push({
              ...document,
              ...(id !== undefined && { id }),
              title: title ?? (document.title === "" ? firstWords(document.text) : document.title),
              metadata: { ...document.metadata, ...metadata },
            })
        return read
      })
    },
    async upload(form, caller) {
      let file: { name: string; bytes: Uint8Array } | null = null
      let name = DEFAULT_COLLECTION
      for await (const part of form) {
        if (part.filename !== null) file = { name: part.filename, bytes: await bytesOf(part.chunks, maxFileBytes) }
        else if (part.name === "collection")
          name = checked(
            collectionName,
            await textOf(part.chunks, MAX_FIELD, () => new EspalierError("invalid_request", "A field is too long")),
          )
      }
      if (!file)
        throw new EspalierError("invalid_request", "Expected a part `file` with a file name but found none", {
          param: "file",
        })
      const { name: id, bytes } = file
      const asked = { collection: name, file: id, sha256: await sha256Hex(bytes) }
      return addAll(name, asked, caller, () => readDocuments(bytes, { name: id, id }))
    },
    list(query, caller) {
      const { collection: name, limit, after } = checked(documentListQuery, query)
      const collection = found(name, caller)
      const rows = index.documents(collection.id, { limit: limit + 1, ...(after !== undefined && { after }) })
      return {
        object: "list",
        data: rows.slice(0, limit).map((record) => documentObject(collection, record)),
        has_more: rows.length > limit,
      }
    },
    retrieve(id, query, caller) {
      const collection = ofQuery(query, caller)
      const record = index.document(collection.id, id)
      if (!record) throw absent(id)
      return { ...documentObject(collection, record), text: index.text(collection.id, id)! }
    },
    delete(id, query, caller) {
      if (!index.remove(ofQuery(query, caller).id, id)) throw absent(id)
      return { id, object: "rag.document", deleted: true }
    },
    async search(body, caller) {
      const { collection, query, limit, filter, filters } = checked(searchRequest, body)
      const passages = await index.search({
        ...{ collection: found(collection, caller).id, query, limit },
        filter: both(equalTo(filter), filters),
      })
      return { object: "list", data: passages.map(passageObject), has_more: false }
    },
    collection: found,
  }
}

const documentObject = (collection: Collection, record: DocumentRecord): DocumentObject => ({
  id: record.id,
  object: "rag.document",
  collection: collection.name,
  title: record.title,
  metadata: record.metadata,
  created_at: toSeconds(record.createdAt),
  bytes: record.bytes,
  chunks: record.chunks,
})

/** A passage as answers show it. */
export const passageObject = (passage: Passage): PassageObject => ({
  object: "rag.passage",
  document_id: passage.documentId,
  title: passage.title,
  chunk: passage.chunk,
  start: passage.start,
  end: passage.end,
  text: passage.text,
  metadata: passage.metadata,
  score: passage.score,
  relevance: passage.relevance,
})

async function bytesOf(chunks: AsyncIterable<Uint8Array>, most: number): Promise<Uint8Array> {
  const parts: Uint8Array[] = []
  let size = 0
  for await (const chunk of chunks) {
    size += chunk.length
    if (size > most) throw new EspalierError("too_large", `The file is over this server's limit of ${most} bytes`)
    parts.push(chunk.slice())
  }
  return concatBytes(parts)
}
