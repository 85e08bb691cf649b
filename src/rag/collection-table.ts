/**
 * @module Collections as rows.
 */
import type { Database, SqlRow } from "../store/database.ts"
import type { Collection, Metadata } from "./document.ts"

/** A collection's row. */
export interface CollectionRow extends Collection {
  readonly seq: number
}

const COLUMNS = `collections.*,
  (SELECT count(*) FROM documents WHERE documents.collection = collections.seq) AS documents,
  (SELECT coalesce(sum(bytes), 0) FROM documents WHERE documents.collection = collections.seq) AS bytes`

/** A new collection, whatever others of its name there are. */
export function addCollection(
  database: Database,
  { id, owner, name, createdAt, metadata }: Omit<Collection, "documents" | "bytes">,
): CollectionRow {
  database.run(
    "INSERT INTO collections (id, owner, name, created_at, metadata) VALUES (?, ?, ?, ?, ?)",
    id,
    owner,
    name,
    createdAt,
    JSON.stringify(metadata),
  )
  return findCollection(database, owner, id)!
}

/** An owner's collection by its id, or the oldest of its name; null if there is none. */
export function findCollection(database: Database, owner: string, idOrName: string): CollectionRow | null {
  const sql = `SELECT ${COLUMNS} FROM collections WHERE owner = ? AND`
  const row =
    database.get(`${sql} id = ?`, owner, idOrName) ?? database.get(`${sql} name = ? ORDER BY seq`, owner, idOrName)
  return row && readCollection(row)
}

/** Gives a collection another name or other metadata. */
export function changeCollection(
  database: Database,
  id: string,
  { name, metadata }: { readonly name?: string; readonly metadata?: Metadata },
): void {
  if (name !== undefined) database.run("UPDATE collections SET name = ? WHERE id = ?", name, id)
  if (metadata !== undefined)
    database.run("UPDATE collections SET metadata = ? WHERE id = ?", JSON.stringify(metadata), id)
}

/** A collection's number by its id, whoever's it is; null if there is none. Its documents are not counted for that. */
export function collectionNumber(database: Database, id: string): number | null {
  const row = database.get("SELECT seq FROM collections WHERE id = ?", id)
  return row && Number(row["seq"])
}

/** An owner's collections, the oldest first. */
export const listCollections = (database: Database, owner: string): CollectionRow[] =>
  database.all(`SELECT ${COLUMNS} FROM collections WHERE owner = ? ORDER BY seq`, owner).map(readCollection)

const readCollection = (row: SqlRow): CollectionRow => ({
  seq: Number(row["seq"]),
  id: String(row["id"]),
  owner: String(row["owner"]),
  name: String(row["name"]),
  createdAt: Number(row["created_at"]),
  metadata: JSON.parse(String(row["metadata"])) as Metadata,
  documents: Number(row["documents"]),
  bytes: Number(row["bytes"]),
})
