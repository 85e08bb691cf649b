/**
 * @module Vectors of pieces, and the nearest ones by looking at all of them: exact, and fast enough to some 100,000.
 */
import { bytesOf } from "../core/bytes.ts"
import type { Database } from "../store/database.ts"
import type { Filter } from "./filter.ts"
import { filterSql } from "./filter-sql.ts"
import { type Matrix, nearestRows } from "./nearest.ts"
import type { Near } from "./rank.ts"

/** Adds a piece's vector. */
export const addVector = (
  database: Database,
  { seq, collection, embedder, vector }: { seq: number; collection: number; embedder: string; vector: Float32Array },
): number =>
  database.run(
    "INSERT INTO vectors (chunk, collection, embedder, vector) VALUES (?, ?, ?, ?)",
    ...[seq, collection, embedder, bytesOf(vector)],
  )

/** Collections that are held in memory at once. */
const HELD = 8

interface Held extends Matrix {
  readonly version: string
}

/** Vectors of collections, read when first asked for and again when the database has changed. */
export class VectorTable {
  readonly #database: Database
  readonly #embedder: string
  readonly #dimensions: number
  readonly #held = new Map<number, Held>()

  constructor(database: Database, embedder: string, dimensions: number) {
    this.#database = database
    this.#embedder = embedder
    this.#dimensions = dimensions
  }

  /** The nearest pieces, nearest first. @param only those of them that are looked at; all without it */
  nearest(collection: number, query: Float32Array, limit: number, only?: ReadonlySet<number>): Near[] {
    return nearestRows(this.#matrix(collection), query, limit, only)
  }

  #matrix(collection: number): Held {
    const version = this.#version(collection)
    const known = this.#held.get(collection)
    if (known?.version === version) return known
    const rows = this.#database.all(
      "SELECT chunk, vector FROM vectors WHERE collection = ? AND embedder = ? ORDER BY chunk",
      ...[collection, this.#embedder],
    )
    const data = new Float32Array(rows.length * this.#dimensions)
    for (const [i, row] of rows.entries()) {
      const bytes = (row["vector"] as Uint8Array).slice()
      data.set(new Float32Array(bytes.buffer, 0, this.#dimensions), i * this.#dimensions)
    }
    const matrix = { version, pieces: Int32Array.from(rows, (row) => Number(row["chunk"])), data }
    this.#held.delete(collection)
    this.#held.set(collection, matrix)
    if (this.#held.size > HELD) this.#held.delete(this.#held.keys().next().value!)
    return matrix
  }

  /** Changes whenever the collection's pieces do: numbers are never given twice. */
  #version(collection: number): string {
    const row = this.#database.get(
      "SELECT count(*) AS n, coalesce(max(chunk), 0) AS last FROM vectors WHERE collection = ? AND embedder = ?",
      ...[collection, this.#embedder],
    )!
    return `${row["n"]} ${row["last"]}`
  }
}

/** The pieces of a collection whose documents a filter lets through; undefined for all of them. */
export function piecesWith(
  database: Database,
  collection: number,
  filter: Filter | undefined,
): Set<number> | undefined {
  if (!filter) return undefined
  const { sql, values } = filterSql(filter)
  const rows = database.all(
    `SELECT chunks.seq FROM chunks JOIN documents ON documents.seq = chunks.document
     WHERE documents.collection = ? AND ${sql}`,
    ...[collection, ...values],
  )
  return new Set(rows.map((row) => Number(row["seq"])))
}
