/**
 * @module The tables of the document index. `seq` counts in the order of creation.
 */
import { idempotencyTable } from "../store/idempotency.ts"

/**
 * What takes each version of the index to the next. A step that was released is never changed.
 *
 * `words` is FTS5's inverted index, without the text, which `chunks` holds. Its first column is a word that stands for the
 * collection: a search asks for that word too, so that other collections are left out before anything is ranked.
 */
export const indexSchema: readonly string[] = [
  `
  CREATE TABLE collections (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    owner TEXT NOT NULL,
    name TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    metadata TEXT NOT NULL
  );
  CREATE INDEX collections_name ON collections (owner, name);
  CREATE TABLE documents (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    collection INTEGER NOT NULL,
    id TEXT NOT NULL,
    sha256 TEXT NOT NULL,
    title TEXT NOT NULL,
    metadata TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    bytes INTEGER NOT NULL,
    chunks INTEGER NOT NULL,
    UNIQUE (collection, id)
  );
  CREATE TABLE chunks (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    document INTEGER NOT NULL,
    number INTEGER NOT NULL,
    start INTEGER NOT NULL,
    finish INTEGER NOT NULL,
    text TEXT NOT NULL,
    UNIQUE (document, number)
  );
  CREATE TABLE vectors (
    chunk INTEGER PRIMARY KEY,
    collection INTEGER NOT NULL,
    embedder TEXT NOT NULL,
    vector BLOB NOT NULL
  );
  CREATE INDEX vectors_collection ON vectors (collection, embedder, chunk);
  CREATE VIRTUAL TABLE words USING fts5(
    scope, title, body, content='', contentless_delete=1, tokenize='porter unicode61 remove_diacritics 2'
  );
  INSERT INTO words (words, rank) VALUES ('rank', 'bm25(0.0, 1.0, 1.0)')
  `,
  `
  CREATE TABLE batches (
    id TEXT PRIMARY KEY,
    collection INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    documents TEXT NOT NULL
  );
  CREATE INDEX batches_collection ON batches (collection);
  ${idempotencyTable}
  `,
]
