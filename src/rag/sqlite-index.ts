/**
 * @module Documents in a SQLite database, searched by BM25 (FTS5). A document is there whole or not at all: it is cut
 * before, and written in one transaction.
 *
 * Source of the ranking: Robertson and Zaragoza 2009, "The Probabilistic Relevance Framework: BM25 and Beyond", as
 * https://www.sqlite.org/fts5.html#the_bm25_function computes it (k1 1.2, b 0.75).
 */
import { encodeUtf8 } from "../core/bytes.ts"
import { EspalierError } from "../core/errors.ts"
import { type Database, migrate, type SqlRow } from "../store/database.ts"
import { answeredBefore, createOnce } from "../store/idempotency.ts"
import {
  addCollection,
  changeCollection,
  collectionNumber,
  findCollection,
  listCollections,
} from "./collection-table.ts"
import { countByWords } from "./count-by-words.ts"
import type { Added, DocumentRecord, Metadata } from "./document.ts"
import type { DocumentIndex, IndexOptions } from "./document-index.ts"
import { pageRange } from "./paging.ts"
import { rank, type Scored } from "./rank.ts"
import { rankedWords } from "./ranked-words.ts"
import { plainCut, type ReadyDocument, readyDocument } from "./ready-document.ts"
import { relevanceOf, scopeWord } from "./relevance.ts"
import type { Passage } from "./retriever.ts"
import { indexSchema } from "./schema.ts"
import { addVector, piecesWith, VectorTable } from "./vector-table.ts"

/** An index over a database. */
export interface SqliteIndex extends DocumentIndex {
  readonly database: Database
}

/** An index over a database, which it brings up to date. */
export function sqliteIndex(database: Database, options: IndexOptions): SqliteIndex {
  const now = options.now ?? Date.now
  const newId = options.newId ?? (() => crypto.randomUUID().replaceAll("-", ""))
  migrate(database, indexSchema)
  const chunks = { ...options.chunks, count: countByWords(options.chunks.count) }
  const { embedder } = options
  const vectors = embedder ? new VectorTable(database, embedder.name, embedder.dimensions) : null
  const known = (id: string): number => {
    const found = collectionNumber(database, id)
    if (found !== null) return found
    throw new EspalierError("not_found", `There is no collection "${id.slice(0, 100)}"`, { param: "collection" })
  }
  const removeRows = (document: SqlRow): void => {
    const seq = document["seq"]!
    for (const table of ["words WHERE rowid", "vectors WHERE chunk"])
      database.run(`DELETE FROM ${table} IN (SELECT seq FROM chunks WHERE document = ?)`, seq)
    database.run("DELETE FROM chunks WHERE document = ?", seq)
    database.run("DELETE FROM documents WHERE seq = ?", seq)
  }
  const rowOf = (collection: number, id: string): SqlRow | null =>
    database.get("SELECT * FROM documents WHERE collection = ? AND id = ?", collection, id)
  /** The word that tells a collection's pieces from others'; null where there are no others. */
  const scopeOf = (collection: number): string | null =>
    database.get("SELECT 1 FROM collections WHERE seq <> ? LIMIT 1", collection) ? scopeWord(collection) : null
  const write = (scope: number, { id, sha256, title, text, meta, cut }: ReadyDocument): Added => {
    const old = rowOf(scope, id)
    if (old?.["sha256"] === sha256) return { document: readDocument(old), change: "unchanged" }
    // What there is no vector of is found by its words.
    const { chunks: pieces, vectors } = cut ?? plainCut(text, chunks)
    if (old) removeRows(old)
    database.run(
      "INSERT INTO documents (collection, id, sha256, title, metadata, created_at, bytes, chunks) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
      ...[scope, id, sha256, title, meta, old?.["created_at"] ?? now(), encodeUtf8(text).length, pieces.length],
    )
    const row = rowOf(scope, id)!
    for (const [number, { start, end, headings }] of pieces.entries()) {
      const piece = text.slice(start, end)
      database.run(
        "INSERT INTO chunks (document, number, start, finish, text) VALUES (?, ?, ?, ?, ?)",
        ...[row["seq"]!, number, start, end, piece],
      )
      const seq = Number(database.get("SELECT last_insert_rowid() AS seq")!["seq"])
      database.run(
        "INSERT INTO words (rowid, scope, title, body) VALUES (?, ?, ?, ?)",
        ...[seq, scopeWord(scope), [title, ...headings].join(" "), piece],
      )
      if (embedder && vectors)
        addVector(database, { seq, collection: scope, embedder: embedder.name, vector: vectors[number]! })
    }
    return { document: readDocument(row), change: old ? "replaced" : "added" }
  }
  const passages = (scope: number, found: readonly Scored[]): Passage[] =>
    found.flatMap(({ seq, ...scored }) => {
      const row = database.get(
        `SELECT chunks.*, documents.id, documents.title, documents.metadata, collections.id AS collection_id
         FROM chunks JOIN documents ON documents.seq = chunks.document JOIN collections ON collections.seq = documents.collection
         WHERE chunks.seq = ? AND documents.collection = ?`,
        ...[seq, scope],
      )
      return row ? [readPassage(row, scored)] : []
    })
  return {
    database,
    count: options.chunks.count,
    createCollection: (owner, name, metadata = {}) =>
      addCollection(database, { id: `vs_${newId()}`, owner, name, createdAt: now(), metadata }),
    changeCollection: (id, change) => database.transaction(() => changeCollection(database, id, change)),
    collection: (owner, idOrName) => findCollection(database, owner, idOrName),
    collections: (owner) => listCollections(database, owner),
    removeCollection(owner, id) {
      return database.transaction(() => {
        const found = findCollection(database, owner, id)
        if (!found) return false
        for (const row of database.all("SELECT * FROM documents WHERE collection = ?", found.seq)) removeRows(row)
        database.run("DELETE FROM batches WHERE collection = ?", found.seq)
        return database.run("DELETE FROM collections WHERE seq = ?", found.seq) > 0
      })
    },
    async put(collection, document) {
      return (await this.putAll(collection, [document]))[0]!
    },
    async putAll(collection, documents) {
      return this.write(collection, await this.prepare(documents, collection))
    },
    async prepare(documents, collection) {
      const scope = collection === undefined ? null : known(collection)
      const isKnown = (id: string, sha256: string): boolean => scope !== null && rowOf(scope, id)?.["sha256"] === sha256
      const ready: ReadyDocument[] = []
      for (const document of documents) ready.push(await readyDocument(document, chunks, embedder, isKnown))
      return ready
    },
    write: (collection, documents) =>
      database.transaction(() => {
        const scope = known(collection)
        return documents.map((document) => write(scope, document))
      }),
    once: (creation, work) => createOnce(database, { ...creation, now: now() }, work),
    before: (creation) => answeredBefore(database, { ...creation, now: now() }),
    addBatch(collection, documents) {
      const batch = { id: `vsfb_${newId()}`, createdAt: now(), documents }
      database.run(
        "INSERT INTO batches (id, collection, created_at, documents) VALUES (?, ?, ?, ?)",
        ...[batch.id, known(collection), batch.createdAt, JSON.stringify(documents)],
      )
      return batch
    },
    batch(collection, id) {
      const row = database.get("SELECT * FROM batches WHERE collection = ? AND id = ?", known(collection), id)
      return (
        row && { id, createdAt: Number(row["created_at"]), documents: JSON.parse(String(row["documents"])) as string[] }
      )
    },
    documents(collection, page = {}) {
      const scope = known(collection)
      const placeOf = (id: string): number | null => {
        const row = rowOf(scope, id)
        return row && Number(row["seq"])
      }
      const { low, high, direction, isReversed } = pageRange(page, placeOf)
      const rows = database.all(
        `SELECT * FROM documents WHERE collection = ? AND seq > ? AND seq < ? ORDER BY seq ${direction} LIMIT ?`,
        ...[scope, low, high, page.limit ?? 100],
      )
      return (isReversed ? rows.toReversed() : rows).map(readDocument)
    },
    document(collection, id) {
      const row = rowOf(known(collection), id)
      return row && readDocument(row)
    },
    text(collection, id) {
      const row = rowOf(known(collection), id)
      if (!row) return null
      let text = ""
      // Pieces overlap: of each only what goes beyond the one before.
      for (const chunk of database.all("SELECT * FROM chunks WHERE document = ? ORDER BY number", row["seq"]!))
        text += String(chunk["text"]).slice(text.length - Number(chunk["start"]))
      return text
    },
    remove(collection, id) {
      return database.transaction(() => {
        const row = rowOf(known(collection), id)
        if (row) removeRows(row)
        return row !== null
      })
    },
    async search({ collection, query, limit, filter }, signal) {
      const scope = known(collection)
      const rankings = {
        byWords: (terms: readonly string[], most: number) =>
          rankedWords(database, { scope: scopeOf(scope), terms, filter, limit: most }),
        relevance: (terms: readonly string[], names: ReadonlySet<string>, pieces: readonly number[]) =>
          relevanceOf(database, scopeOf(scope), terms, names, pieces),
        byMeaning: (vector: Float32Array, most: number) =>
          vectors?.nearest(scope, vector, most, piecesWith(database, scope, filter)) ?? [],
      }
      return passages(scope, await rank({ query, limit }, rankings, embedder ?? null, signal))
    },
    close: () => database.close(),
  }
}

const readDocument = (row: SqlRow): DocumentRecord => ({
  id: String(row["id"]),
  sha256: String(row["sha256"]),
  title: String(row["title"]),
  metadata: JSON.parse(String(row["metadata"])) as Metadata,
  createdAt: Number(row["created_at"]),
  bytes: Number(row["bytes"]),
  chunks: Number(row["chunks"]),
})

const readPassage = (row: SqlRow, scored: Pick<Passage, "score" | "relevance">): Passage => ({
  documentId: String(row["id"]),
  collection: String(row["collection_id"]),
  title: String(row["title"]),
  chunk: Number(row["number"]),
  start: Number(row["start"]),
  end: Number(row["finish"]),
  text: String(row["text"]),
  metadata: JSON.parse(String(row["metadata"])) as Metadata,
  ...scored,
})
