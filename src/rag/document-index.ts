/**
 * @module Documents in a SQLite database, searched by BM25 (FTS5). A document is there whole or not at all: it is cut
 * before, and written in one transaction.
 *
 * Source of the ranking: Robertson and Zaragoza 2009, "The Probabilistic Relevance Framework: BM25 and Beyond", as
 * https://www.sqlite.org/fts5.html#the_bm25_function computes it (k1 1.2, b 0.75).
 */
import { encodeUtf8 } from "../core/bytes.ts"
import { EspalierError } from "../core/errors.ts"
import { sha256Hex } from "../core/hash.ts"
import { type Database, migrate, type SqlRow, type SqlValue } from "../store/database.ts"
import { type Chunk, type ChunkOptions, chunkText } from "./chunk.ts"
import {
  addCollection,
  type CollectionRow,
  changeCollection,
  collectionOf,
  findCollection,
  listCollections,
} from "./collection-table.ts"
import type { Added, Collection, DocumentRecord, Metadata, NewDocument } from "./document.ts"
import type { Embedder } from "./embedder.ts"
import { fused } from "./fusion.ts"
import { relevanceOf, scopeWord, wordsMatch } from "./relevance.ts"
import type { Passage, Retriever, SearchRequest } from "./retriever.ts"
import { indexSchema } from "./schema.ts"
import { nameTerms, searchTerms } from "./search-terms.ts"
import { addVector, piecesWith, VectorTable } from "./vector-table.ts"

/** Settings of an index. */
export interface IndexOptions {
  /** How documents are cut; those that are there already stay as they are. */
  readonly chunks: ChunkOptions
  /** Searches by meaning beside words; what was added without it is found by words alone. */
  readonly embedder?: Embedder
  /** Milliseconds since 1970. @default {Date.now} */
  readonly now?: () => number
  /** @default {crypto.randomUUID} without its dashes */
  readonly newId?: () => string
}

/** A piece that was found. */
export interface Scored extends Pick<Passage, "score" | "relevance"> {
  readonly seq: number
}

/** Documents in collections. */
export interface DocumentIndex extends Retriever {
  readonly database: Database
  /** Tokens of a text, as documents are cut by. */
  readonly count: (text: string) => number
  /** A new one, whatever others of its name there are. */
  createCollection(owner: string, name: string, metadata?: Metadata): Collection
  changeCollection(id: string, change: { readonly name?: string; readonly metadata?: Metadata }): void
  /** By its id, or the oldest of a name. */
  collection(owner: string, idOrName: string): Collection | null
  collections(owner: string): Collection[]
  /** Removes a collection with its documents. @returns whether there was one */
  removeCollection(owner: string, id: string): boolean
  /**
   * Adds a document or replaces the one of its id; on disk when this resolves.
   * @param collection its id
   * @throws {EspalierError} `not_found` if there is no such collection, `invalid_request` for a document without text
   */
  put(collection: string, document: NewDocument): Promise<Added>
  /** The same for several documents, all of them or none. */
  putAll(collection: string, documents: readonly NewDocument[]): Promise<Added[]>
  /** @param after the id of the last one of the page before */
  documents(collection: string, page?: { readonly limit?: number; readonly after?: string }): DocumentRecord[]
  document(collection: string, id: string): DocumentRecord | null
  /** A document's text as it was added; null if there is none. */
  text(collection: string, id: string): string | null
  /** @returns whether there was one */
  remove(collection: string, id: string): boolean
  /** Pieces by their numbers in the database, in this order, with a score each. */
  passages(found: readonly Scored[]): Passage[]
  close(): void
}

/** An index over a database, which it brings up to date. */
export function documentIndex(database: Database, options: IndexOptions): DocumentIndex {
  const now = options.now ?? Date.now
  const newId = options.newId ?? (() => crypto.randomUUID().replaceAll("-", ""))
  migrate(database, indexSchema)
  const { embedder } = options
  const vectors = embedder ? new VectorTable(database, embedder.name, embedder.dimensions) : null
  const cutAndEmbed = async (text: string): Promise<Cut> => {
    const chunks = chunkText(text, options.chunks)
    const embedded = embedder ? await embedder.embed(chunks.map(({ start, end }) => text.slice(start, end))) : null
    return { chunks, vectors: embedded }
  }
  const known = (id: string): CollectionRow => {
    const found = collectionOf(database, id)
    if (found) return found
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
  const byWords = (scope: number, terms: readonly string[], filter: Metadata, limit: number) => {
    const { joins, conditions, values } = filterSql(filter)
    return database
      .all(
        `SELECT words.rowid AS seq, words.rank AS rank FROM words ${joins} WHERE words MATCH ?${conditions} ORDER BY words.rank LIMIT ?`,
        ...[wordsMatch(scope, terms), ...values, limit],
      )
      .map((row) => ({ seq: Number(row["seq"]), score: -Number(row["rank"]) }))
  }
  const write = (scope: number, { id, sha256, title, text, meta }: Prepared, cut: Cut): Added => {
    const old = rowOf(scope, id)
    if (old?.["sha256"] === sha256) return { document: readDocument(old), change: "unchanged" }
    // Somebody else may have replaced it since it was looked at; what there is no vector of is found by its words.
    const { chunks, vectors } = cut ?? { chunks: chunkText(text, options.chunks), vectors: null }
    if (old) removeRows(old)
    database.run(
      "INSERT INTO documents (collection, id, sha256, title, metadata, created_at, bytes, chunks) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
      ...[scope, id, sha256, title, meta, old?.["created_at"] ?? now(), encodeUtf8(text).length, chunks.length],
    )
    const row = rowOf(scope, id)!
    for (const [number, { start, end, headings }] of chunks.entries()) {
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
        return database.run("DELETE FROM collections WHERE seq = ?", found.seq) > 0
      })
    },
    async put(collection, document) {
      return (await this.putAll(collection, [document]))[0]!
    },
    async putAll(collection, documents) {
      const { seq: scope } = known(collection)
      const prepared: Prepared[] = []
      for (const document of documents) prepared.push(await prepare(document))
      // What is there already need not be cut.
      const cut: Cut[] = []
      for (const { id, sha256, text } of prepared)
        cut.push(rowOf(scope, id)?.["sha256"] === sha256 ? null : await cutAndEmbed(text))
      return database.transaction(() => {
        known(collection)
        return prepared.map((document, i) => write(scope, document, cut[i]!))
      })
    },
    documents(collection, { limit = 100, after } = {}) {
      const { seq: scope } = known(collection)
      const last = after === undefined ? null : rowOf(scope, after)
      if (after !== undefined && !last)
        throw new EspalierError("invalid_request", "Expected `after` to be the id of a document but found none", {
          param: "after",
        })
      return database
        .all(
          "SELECT * FROM documents WHERE collection = ? AND seq > ? ORDER BY seq LIMIT ?",
          ...[scope, last?.["seq"] ?? 0, limit],
        )
        .map(readDocument)
    },
    document(collection, id) {
      const row = rowOf(known(collection).seq, id)
      return row && readDocument(row)
    },
    text(collection, id) {
      const row = rowOf(known(collection).seq, id)
      if (!row) return null
      let text = ""
      // Pieces overlap: of each only what goes beyond the one before.
      for (const chunk of database.all("SELECT * FROM chunks WHERE document = ? ORDER BY number", row["seq"]!))
        text += String(chunk["text"]).slice(text.length - Number(chunk["start"]))
      return text
    },
    remove(collection, id) {
      return database.transaction(() => {
        const row = rowOf(known(collection).seq, id)
        if (row) removeRows(row)
        return row !== null
      })
    },
    async search({ collection, query, limit, filter = {} }: SearchRequest, signal) {
      const { seq: scope } = known(collection)
      const terms = searchTerms(query)
      const ranked = terms.length === 0 ? [] : byWords(scope, terms, filter, vectors ? FUSED : limit)
      const held = (pieces: readonly number[]): number[] =>
        terms.length === 0 ? pieces.map(() => 0) : relevanceOf(database, scope, terms, nameTerms(query), pieces)
      if (!embedder || !vectors) {
        const relevance = held(ranked.map(({ seq }) => seq))
        return this.passages(ranked.map((each, i) => ({ ...each, relevance: relevance[i]! })))
      }
      const [asked] = await embedder.embed([query], signal)
      const near = vectors.nearest(scope, asked!, FUSED, piecesWith(database, scope, filter))
      const cosines = new Map(near.map(({ seq, cosine }) => [seq, cosine]))
      const best = fused([ranked.map(({ seq }) => seq), near.map(({ seq }) => seq)]).slice(0, limit)
      const relevance = held(best.map(({ item }) => item))
      return this.passages(
        best.map(({ item, score }, i) => ({
          seq: item,
          score,
          relevance: Math.max(relevance[i]!, embedder.relevance(cosines.get(item) ?? 0)),
        })),
      )
    },
    passages: (found) =>
      found.flatMap(({ seq, ...scored }) => {
        const row = database.get(
          `SELECT chunks.*, documents.id, documents.title, documents.metadata, collections.id AS collection_id
           FROM chunks JOIN documents ON documents.seq = chunks.document JOIN collections ON collections.seq = documents.collection
           WHERE chunks.seq = ?`,
          seq,
        )
        return row ? [readPassage(row, scored)] : []
      }),
    close: () => database.close(),
  }
}

/** Metadata as a condition; types are told apart, so that 1 is not true. */
function filterSql(filter: Metadata): {
  readonly joins: string
  readonly conditions: string
  readonly values: readonly SqlValue[]
} {
  const entries = Object.entries(filter)
  if (entries.length === 0) return { joins: "", conditions: "", values: [] }
  return {
    joins: "JOIN chunks ON chunks.seq = words.rowid JOIN documents ON documents.seq = chunks.document",
    conditions: " AND documents.metadata -> ? = ?".repeat(entries.length),
    values: entries.flatMap(([key, value]) => [`$.${JSON.stringify(key)}`, JSON.stringify(value)]),
  }
}

/** A document that is ready to be written. */
interface Prepared {
  readonly id: string
  readonly sha256: string
  readonly title: string
  readonly text: string
  /** Its metadata as JSON. */
  readonly meta: string
}

/** @throws {EspalierError} `invalid_request` for a document without text */
async function prepare({ id, title, text, metadata }: NewDocument): Promise<Prepared> {
  if (text.trim() === "")
    throw new EspalierError("invalid_request", `The document "${title.slice(0, 100)}" has no text`, { param: "text" })
  const meta = JSON.stringify(sorted(metadata))
  const sha256 = await sha256Hex(encodeUtf8(JSON.stringify([title, text, meta])))
  return { id: id ?? `doc-${sha256.slice(0, 24)}`, sha256, title, text, meta }
}

/** A document's pieces, with their vectors where there are any; null for a document that is there already. */
type Cut = { readonly chunks: readonly Chunk[]; readonly vectors: readonly Float32Array[] | null } | null

/** Pieces of each ranking that are put together. */
const FUSED = 50

/** The same metadata in any order is the same. */
const sorted = (metadata: Metadata): Metadata =>
  Object.fromEntries(Object.entries(metadata).sort(([a], [b]) => (a < b ? -1 : 1)))

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
