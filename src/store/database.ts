/**
 * @module A SQLite database behind one small interface, whichever library a runtime has (`presets/open-database.ts` picks
 * it). Statements are synchronous: what is written is on disk when the call returns, and two callers never interleave
 * inside a transaction.
 */
import { EspalierError } from "../core/errors.ts"
import { asStorageError } from "./storage-full.ts"

/** What a column holds. */
export type SqlValue = string | number | Uint8Array | null

/** A row by its columns' names. */
export type SqlRow = Readonly<Record<string, SqlValue>>

/** An open database. */
export interface Database {
  /** Runs one statement. @throws {EspalierError} `storage_full`. @returns how many rows it changed */
  run(sql: string, ...values: readonly SqlValue[]): number
  /** Every row that a query gives. */
  all(sql: string, ...values: readonly SqlValue[]): readonly SqlRow[]
  /** The first row, or null. */
  get(sql: string, ...values: readonly SqlValue[]): SqlRow | null
  /** Runs `work` as a whole or not at all; inside another transaction as a part of that one. */
  transaction<T>(work: () => T): T
  /** Calling it twice is harmless. */
  close(): void
}

/** What {@link databaseOver} needs of a library; `bun:sqlite` and `node:sqlite` both fit. */
export interface SqliteLibrary {
  exec(sql: string): unknown
  prepare(sql: string): SqliteStatement
  close(): void
}

/** A prepared statement of such a library. */
export interface SqliteStatement {
  all(...values: SqlValue[]): unknown[]
  run(...values: SqlValue[]): { readonly changes: number | bigint }
  /** Bun keeps a file open until each of its statements is gone; Node ends them itself. */
  finalize?(): void
}

/** Statements that are kept prepared: a search's conditions may be of any shape, and memory must not grow with them. */
const KEPT_STATEMENTS = 256

/** The interface over an open library. Statements are prepared once. */
export function databaseOver(library: SqliteLibrary): Database {
  const prepared = new Map<string, SqliteStatement>()
  let depth = 0
  let isOpen = true
  const statement = (sql: string): SqliteStatement => {
    if (!isOpen) throw new EspalierError("unavailable", "The database has been closed")
    const known = prepared.get(sql)
    const found = known ?? library.prepare(sql)
    prepared.delete(sql)
    prepared.set(sql, found)
    if (prepared.size > KEPT_STATEMENTS) {
      const [oldest, unused] = prepared.entries().next().value!
      prepared.delete(oldest)
      unused.finalize?.()
    }
    return found
  }
  const all = (sql: string, values: readonly SqlValue[]): readonly SqlRow[] =>
    statement(sql).all(...values) as readonly SqlRow[]
  const run = (sql: string, values: readonly SqlValue[]): number => {
    try {
      return Number(statement(sql).run(...values).changes)
    } catch (error) {
      throw asStorageError(error)
    }
  }
  return {
    run: (sql, ...values) => run(sql, values),
    all: (sql, ...values) => all(sql, values),
    get: (sql, ...values) => all(sql, values)[0] ?? null,
    transaction(work) {
      if (depth > 0) return work()
      run("BEGIN IMMEDIATE", [])
      depth++
      try {
        const result = work()
        run("COMMIT", [])
        return result
      } catch (error) {
        // A full disk may have ended the transaction already; the first error is the one to tell.
        try {
          library.exec("ROLLBACK")
        } catch {}
        throw error
      } finally {
        depth--
      }
    },
    close() {
      if (!isOpen) return
      isOpen = false
      for (const each of prepared.values()) each.finalize?.()
      prepared.clear()
      library.close()
    },
  }
}

/**
 * Makes a fresh or an older database what this version expects: `steps[n]` takes version n to n + 1, each as a whole.
 * @throws {EspalierError} `unsupported` for a database of a later version.
 */
export function migrate(database: Database, steps: readonly string[]): void {
  const version = Number(database.get("PRAGMA user_version")?.["user_version"] ?? 0)
  if (version > steps.length) {
    throw new EspalierError(
      "unsupported",
      `The database is of version ${version}, and this program knows versions up to ${steps.length}`,
      { hint: "Start the version that wrote it, or keep another folder" },
    )
  }
  for (const [i, step] of steps.entries()) {
    if (i < version) continue
    database.transaction(() => {
      for (const sql of step.split(";")) if (sql.trim() !== "") database.run(sql)
      database.run(`PRAGMA user_version = ${i + 1}`)
    })
  }
}
